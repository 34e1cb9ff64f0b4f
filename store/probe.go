package store

// Probe stands between a store and its disk, for tests that let the power fail or
// the disk be full at a commit of their choice. Its functions are called by
// whoever commits, one at a time; nil ones are left out. While one runs nothing
// is written, so that the files may be copied.
type Probe struct {
	// Commit is called before a commit is written. What it returns is what the
	// disk answers: syscall.ENOSPC, and nothing was changed.
	Commit func() error
	// Synced is called when all that was committed is on the disk, and before
	// anybody is told so. NoSync leaves out the wait for the disk, not the call.
	Synced func()
}

// before asks whether the disk takes a commit.
func (p Probe) before() error {
	if p.Commit == nil {
		return nil
	}
	return p.Commit()
}

// synced says that the disk has it.
func (p Probe) synced() {
	if p.Synced != nil {
		p.Synced()
	}
}
