package store

import "errors"

// Later is Update for what nobody waits for: fn shares the next commit, which is
// made at once if there is nothing else to do. Then done is called with what
// Update would have returned, the value of a panic included: on another goroutine,
// outside of any transaction, and it must be short. Functions take effect in the
// order in which they were given to Later. Close does not leave any behind.
func (db *DB) Later(fn func(*Tx) error, done func(error)) {
	r := &request{fn: fn, done: done}
	db.mu.Lock()
	closed := db.closed
	if !closed {
		db.putLater(append(db.later, r))
	}
	db.mu.Unlock()
	if closed {
		done(ErrClosed)
	}
}

// flush commits what Later was given and nobody has taken along.
func (db *DB) flush() {
	ended := false
	defer func() {
		if ended {
			return
		}
		db.mu.Lock() // a function ended this goroutine: another one goes on
		db.flushing = false
		db.putLater(db.later)
		db.mu.Unlock()
	}()
	for {
		// The functions learn of errors themselves.
		err := db.update(&request{fn: func(*Tx) error { return nil }, patient: true})
		db.mu.Lock()
		left := db.later
		if len(left) > 0 && !errors.Is(err, ErrClosed) {
			db.mu.Unlock()
			continue
		}
		db.later, db.flushing = nil, false
		db.mu.Unlock()
		ended = true
		for _, r := range left {
			r.done(ErrClosed)
		}
		return
	}
}

// takeLater adds what waits to a batch, before it. The caller holds mu.
func (db *DB) takeLater(batch []*request) []*request {
	n := min(len(db.later), maxBatch)
	batch = append(db.later[:n:n], batch...)
	db.putLater(db.later[n:])
	return batch
}

// putLater has functions wait for the next commit, whatever waited before, and
// makes sure that there will be one. The caller holds mu.
func (db *DB) putLater(list []*request) {
	db.later = list
	if len(list) > 0 && !db.flushing {
		db.flushing = true
		go db.flush()
	}
}

// finish tells whoever gave a function to Later how it ended.
func (r *request) finish() {
	if r.err == nil {
		for _, f := range r.onCommit {
			f()
		}
	}
	r.done(r.err)
}
