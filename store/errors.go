package store

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// Errors of this package. What is returned wraps them and says what to do.
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another contactsd uses this store")
	// ErrCorrupt: the file is damaged, cut short, or no store at all.
	ErrCorrupt = errors.New("damaged store")
	// ErrNewer: a newer version of the program wrote the file.
	ErrNewer = errors.New("store of a newer version")
	// ErrOlder: the file is older than the oldest version that can be migrated.
	ErrOlder = errors.New("store of a version too old")
	// ErrFull: there is no space on the disk. Nothing was changed.
	ErrFull = errors.New("disk full")
	// ErrClosed: the DB was closed, or the transaction is over.
	ErrClosed = errors.New("closed")
	// ErrCursor: events after the cursor were dropped already, or it is ahead of
	// the newest. The reader must read anew what it wants to know.
	ErrCursor = errors.New("no events at this cursor")
	// ErrReadOnly: a write in a transaction of View, or to a store that was
	// opened to be read.
	ErrReadOnly = errors.New("read-only transaction")
)

const (
	hintRestore = "put back a copy with: contactsd restore FILE, or move it away to begin anew; contactsd check says what is whole"
	hintRestart = "check the disk, then start contactsd again"
)

// contain runs f, which calls into bbolt, and turns what bbolt does on damaged
// pages into an error: it panics on some, and others lead it outside of the
// mapped file, which is a fault.
func contain(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = damaged(p)
		}
	}()
	return f()
}

func damaged(what any) error {
	return fmt.Errorf("%w: %v; %s", ErrCorrupt, what, hintRestore)
}

// openError classifies an error of bbolt.Open.
func openError(err error) error {
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case err == nil, errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewer):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: stop it, or choose another home", ErrLocked)
	case isFull(err):
		return fmt.Errorf("%w: free space, then try again: %w", ErrFull, err)
	case errors.As(err, &path), errors.As(err, &errno):
		return err
	case errors.Is(err, berrors.ErrInvalid):
		return damaged("not a store, or its beginning is lost")
	}
	return damaged(err)
}

// isFull also looks at the text because bbolt does not wrap each error.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		err != nil && strings.Contains(err.Error(), syscall.ENOSPC.Error())
}

// isSync reports whether an error of bbolt is of a sync: those of writing name
// the file.
func isSync(err error) bool {
	var path *fs.PathError
	var errno syscall.Errno
	return errors.As(err, &errno) && !errors.As(err, &path) || strings.HasPrefix(err.Error(), "file sync error")
}

// commitError classifies an error of a commit: rolledBack says that the file
// is known to be as before and may be written again.
func commitError(err error, rolledBack bool) error {
	switch {
	case errors.Is(err, ErrCorrupt):
		return err
	case isFull(err) && rolledBack:
		return fmt.Errorf("%w: free space, then try again: %w", ErrFull, err)
	case isFull(err):
		return fmt.Errorf("%w: free space, then start contactsd again: %w", ErrFull, err)
	case rolledBack:
		return fmt.Errorf("commit: %w; check the disk, then try again", err)
	}
	return fmt.Errorf("commit: %w; %s", err, hintRestart)
}

func beginError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	if errors.Is(err, berrors.ErrDatabaseReadOnly) {
		return ErrReadOnly
	}
	return err
}
