package store

import "errors"

// Later is Update for what nobody waits for: fn shares the next commit, which is
// made at once if there is nothing else to do. Then done is called with what
// Update would have returned, the value of a panic included: on another goroutine,
// outside of any transaction, and it must be short. Functions take effect in the
// order in which they were given to Later. Close commits what is left, and may
// return before done was called for it.
func (db *DB) Later(fn func(*Tx) error, done func(error)) {
	r := &request{fn: fn, done: done}
	db.mu.Lock()
	closed := db.closed
	if !closed {
		db.putWaiting(append(db.waiting, r))
	}
	db.mu.Unlock()
	if closed {
		go done(ErrClosed)
	}
}

// commitWaiting commits what Later was given and nobody has taken along.
func (db *DB) commitWaiting() {
	ended := false
	defer func() {
		if ended {
			return
		}
		db.mu.Lock() // a function ended this goroutine: another one goes on
		db.flushing = false
		db.putWaiting(db.waiting)
		db.mu.Unlock()
	}()
	for {
		// The functions learn of errors themselves.
		err := db.update(&request{fn: func(*Tx) error { return nil }, patient: true})
		db.mu.Lock()
		left := db.waiting
		if len(left) > 0 && !errors.Is(err, ErrClosed) {
			db.mu.Unlock()
			continue
		}
		db.waiting, db.flushing = nil, false
		db.mu.Unlock()
		ended = true
		for _, r := range left {
			r.done(ErrClosed)
		}
		return
	}
}

// takeWaiting adds what waits to a batch, before it. The caller holds mu.
func (db *DB) takeWaiting(batch []*request) []*request {
	n := min(len(db.waiting), maxBatch)
	batch = append(db.waiting[:n:n], batch...)
	db.putWaiting(db.waiting[n:])
	return batch
}

// putWaiting has functions wait for the next commit, whatever waited before, and
// makes sure that there will be one. The caller holds mu.
func (db *DB) putWaiting(list []*request) {
	db.waiting = list
	if len(list) > 0 && !db.flushing {
		db.flushing = true
		go db.commitWaiting()
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
