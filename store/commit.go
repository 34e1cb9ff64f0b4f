package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// Group commit without a goroutine of its own. Whoever calls Update queues; the
// first of the queue leads: it takes what is queued, runs it in one transaction
// and commits. What comes meanwhile queues behind, and when the leader is done
// it hands over to the first of them. So a lone writer commits at once, many
// share the fsyncs, and nobody leads for longer than one commit of its own.

// maxBatch bounds the functions of one commit, those that callers wait for and
// those that nobody does alike, and with it the memory and time that the first of
// them waits for.
const maxBatch = 1024

// patience is how often a leader lets others run before it stops expecting
// more of them; about 6 µs if there is nobody, against 250 µs for a commit.
const patience = 32

// request is one call of Update.
type request struct {
	fn       func(*Tx) error
	wake     chan bool   // gets one value: true to lead, false when settled
	done     func(error) // of a function given to Later: nobody waits
	patient  bool        // it leads for others, and gives them a little longer
	onCommit []func()
	err      error
	panicked *panicked
	settled  bool
}

func (r *request) failed() bool { return r.err != nil }

var errExited = errors.New("the function ended its goroutine")

// panicked carries a panic to the goroutine whose function it was.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string {
	return fmt.Sprintf("%v\n\nin a store transaction:\n%s", p.value, p.stack)
}

func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// Update runs fn in a transaction and returns nil once what it wrote is on the
// disk. If fn returns an error nothing of it remains, and that error is
// returned; if it panics, Update panics with an error that holds the value and
// the stack. fn may run more than once and on another goroutine: it has no
// effects but through tx and tx.OnCommit.
//
// Other errors are those of the disk: they wrap ErrFull or ErrCorrupt, or say
// what failed; then nothing was changed, unless the error tells to start anew.
func (db *DB) Update(fn func(*Tx) error) error { return db.update(&request{fn: fn}) }

func (db *DB) update(r *request) error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return ErrClosed
	}
	db.queue = append(db.queue, r)
	lead := !db.leading
	if lead {
		db.leading = true
	} else {
		r.wake = make(chan bool, 1)
	}
	db.mu.Unlock()
	if !lead {
		lead = <-r.wake
	}
	if lead {
		db.gather(r.patient)
		db.lead(r)
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	if r.err != nil {
		return r.err
	}
	for _, f := range r.onCommit {
		f()
	}
	return nil
}

// gather lets the callers that the last leader released come back, so that they
// share this commit instead of waiting for the next. After a commit of one
// alone it does nothing, so a lone writer is never held up. A patient leader, for
// whom nobody waits, expects one more.
func (db *DB) gather(patient bool) {
	limit, extra := patience, 0
	if patient {
		limit, extra = 8*patience, 2
	}
	for most, idle := 0, 0; idle < limit; idle++ {
		db.mu.Lock()
		n, crowd := len(db.queue), min(max(db.crowd, extra), maxBatch)
		db.mu.Unlock()
		if n >= crowd {
			return
		}
		if n > most {
			most, idle = n, 0
		}
		runtime.Gosched()
	}
}

func (db *DB) lead(own *request) {
	db.mu.Lock()
	n := min(len(db.queue), maxBatch)
	batch := db.takeWaiting(db.queue[:n:n])
	db.queue = db.queue[n:]
	broken := db.broken
	db.mu.Unlock()

	defer db.handOver(own, batch) // also when a function ends this goroutine
	if broken != nil {
		settle(batch, broken)
		return
	}
	db.commitAll(batch)
	db.watch()
}

func (db *DB) handOver(own *request, batch []*request) {
	db.mu.Lock()
	// Left over only if a function ended this goroutine: the others begin anew.
	var left, later []*request
	callers := 0
	for _, r := range batch {
		if r.done == nil {
			callers++
		}
		if r.settled || r == own {
			continue
		}
		r.onCommit, r.err, r.panicked = nil, nil, nil
		if r.done != nil {
			later = append(later, r)
		} else {
			left = append(left, r)
		}
	}
	if left != nil {
		db.queue = append(left, db.queue...)
	}
	if later != nil {
		db.putWaiting(append(later, db.waiting...))
	}
	db.crowd = callers + len(db.queue)
	var next *request
	if len(db.queue) > 0 {
		next = db.queue[0]
	} else {
		db.leading = false
		if db.idle != nil {
			close(db.idle)
		}
	}
	db.mu.Unlock()

	var finished []*request
	for _, r := range batch {
		switch {
		case !r.settled:
		case r.done != nil:
			finished = append(finished, r)
		case r != own:
			r.wake <- false
		}
	}
	if next != nil {
		next.wake <- true
	}
	for _, r := range finished {
		r.finish()
	}
}

func settle(batch []*request, err error) {
	for _, r := range batch {
		if err != nil { // also for those that failed: what they saw is not there
			r.err, r.panicked = err, nil
		}
		r.settled = true
	}
}

// commitAll settles each request. One that fails after it wrote spoils the
// transaction: those before it are run again and committed, those after it get
// another transaction. So no function runs more than twice for one such failure.
func (db *DB) commitAll(batch []*request) {
	for len(batch) > 0 {
		n := len(batch)
		spoiler, err := db.try(batch)
		for spoiler >= 0 {
			n = spoiler + 1
			spoiler, err = db.try(batch[:spoiler])
		}
		settle(batch[:n], err)
		batch = batch[n:]
	}
}

// try runs the requests that have not failed in one transaction and commits it.
// It returns the index of the request that spoiled it, or -1.
func (db *DB) try(batch []*request) (spoiler int, err error) {
	spoiler, err = db.attempt(batch)
	if err == errNoRoom {
		if err := db.makeRoom(); err != nil {
			return -1, err
		}
		spoiler, err = db.attempt(batch)
	}
	return spoiler, err
}

func (db *DB) attempt(batch []*request) (spoiler int, err error) {
	if len(batch) == 0 {
		return -1, nil
	}
	var b *bbolt.Tx
	err = contain(func() (err error) {
		b, err = db.bolt.Begin(true)
		return err
	})
	if err != nil {
		return -1, beginError(err)
	}
	over := false
	defer func() {
		if !over {
			db.rollback(b)
		}
	}()

	s := &shared{bolt: b, redo: db.recording()}
	wrote, emitted := false, false
	for i, r := range batch {
		if r.failed() {
			continue
		}
		tx := &Tx{db: db, shared: s, writable: true}
		r.run(tx)
		if r.failed() && (tx.wrote || tx.touched) {
			return i, nil
		}
		wrote = wrote || tx.wrote
		emitted = emitted || tx.emitted
	}
	more, told, err := s.flush(db)
	if err != nil {
		return -1, err
	}
	wrote, emitted = wrote || more, emitted || told
	if !wrote && !s.settle {
		return -1, nil
	}
	if err := db.probe.before(); err != nil {
		return -1, commitError(err, true)
	}
	over = true
	if err := db.commit(b, s); err != nil {
		return -1, err
	}
	db.probe.synced()
	if wrote {
		db.commits.Add(1)
	}
	if emitted {
		db.broadcast(s.newest)
	}
	return -1, nil
}

// run calls the function and notes how it ended.
func (r *request) run(tx *Tx) {
	returned := false
	defer func() {
		tx.over = true
		if returned {
			return
		}
		if p := recover(); p != nil {
			r.panicked = &panicked{p, debug.Stack()}
			r.err = r.panicked
			return
		}
		r.err, r.settled = errExited, true // runtime.Goexit, as of testing.T.FailNow
	}()
	r.onCommit = nil
	r.err = r.fn(tx)
	if r.err == nil {
		r.err = tx.damage
	}
	r.onCommit = tx.onCommit
	returned = true
}

// rollback may be called again after a failed commit, which mostly has done it.
func (db *DB) rollback(b *bbolt.Tx) {
	err := contain(b.Rollback)
	if errors.Is(err, ErrCorrupt) {
		db.mu.Lock()
		db.broken, db.stuck = err, true
		db.mu.Unlock()
	}
}

// afterFailure finds out what the failed commit of transaction id left behind.
// bbolt writes and syncs pages that nobody uses, and then the meta page that
// makes them count. If reading still shows the transaction before, the file is
// as it was and may be written again. If it shows this one, its meta page was
// written and not synced: the kernel may have dropped it and reading would not
// tell, so nothing may be built upon it. Nor upon what bbolt panicked over, nor
// after a sync that failed: the kernel may have dropped pages of transactions before.
func (db *DB) afterFailure(id int, err error) error {
	current := id
	viewErr := db.view(func(b *bbolt.Tx) error { current = b.ID(); return nil })
	rolledBack := viewErr == nil && current != id && !errors.Is(err, ErrCorrupt) && !isSync(err)
	err = commitError(err, rolledBack)
	if !rolledBack {
		return db.breakOff(err)
	}
	return err
}

// breakOff has nothing written any more, because of err, which it returns.
func (db *DB) breakOff(err error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.broken == nil {
		db.broken = err
	}
	return err
}

func (db *DB) isBroken() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.broken != nil
}
