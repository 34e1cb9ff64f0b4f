package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Options of Open. The zero value is right for a daemon.
type Options struct {
	// NoSync leaves out every fsync: what was acknowledged may be lost with the
	// power, and the file with it. For tests that simulate the disk.
	NoSync bool
	// ReadOnly opens a store that is there, beside others that read it, and
	// leaves every byte of it as it is: Update returns ErrReadOnly, and a store
	// that would have to be migrated is refused with ErrOlder.
	ReadOnly bool
	// JournalLimit is how many of the newest events are kept, 0 for 100,000.
	JournalLimit int
	// Probe is for tests.
	Probe Probe
}

const (
	defaultJournalLimit = 100_000
	lockTimeout         = time.Second
	fileMode            = 0o600
)

// DB is an open store. Its methods may be called from any goroutine.
type DB struct {
	bolt         *bbolt.DB
	file         *os.File // bbolt's own, to let go of the lock if bbolt can't
	tables       map[string]bool
	journalLimit uint64
	probe        Probe
	commits      atomic.Uint64

	mu       sync.Mutex // guards what follows, held for moments only
	queue    []*request // in order; the first one leads or is about to
	waiting  []*request // in order; they go along with the next commit
	flushing bool       // a goroutine is about to see to that
	leading  bool
	crowd    int // callers seen around the last commit
	closed   bool
	idle     chan struct{} // closed by the last leader once closed is set
	broken   error         // why nothing is written any more
	stuck    bool          // bbolt's locks are lost, it can't be closed
	emitted  chan struct{} // nil until someone waits
	durable  uint64        // cursor of the newest event on the disk
}

// Open opens the store at path, or makes one, and brings its tables to the
// versions of defs. It returns an error that wraps ErrLocked, ErrCorrupt,
// ErrNewer, ErrOlder, ErrFull, an error of the operating system, or one about
// defs: two tables of the same name, or a migration that failed, which leaves
// the file as it was.
func Open(path string, opt Options, defs ...Definition) (*DB, error) {
	db, err := open(path, opt, defs)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return db, nil
}

func open(path string, opt Options, defs []Definition) (*DB, error) {
	if opt.JournalLimit < 0 {
		return nil, fmt.Errorf("journal limit %d: 1 or more, 0 for %d", opt.JournalLimit, defaultJournalLimit)
	}
	if opt.JournalLimit == 0 {
		opt.JournalLimit = defaultJournalLimit
	}
	specs, err := collect(defs)
	if err != nil {
		return nil, err
	}
	isNew, err := inspect(path)
	if err != nil {
		return nil, err
	}
	db := &DB{tables: make(map[string]bool, len(specs)), journalLimit: uint64(opt.JournalLimit), probe: opt.Probe}
	for _, s := range specs {
		db.tables[s.name] = true
	}
	if isNew && opt.ReadOnly {
		return nil, fmt.Errorf("nothing there: %w", fs.ErrNotExist)
	}
	opt.NoSync = opt.NoSync || neverSync
	if isNew {
		if err := create(path, opt); err != nil {
			return nil, err
		}
	}
	if err := db.openFile(path, opt); err != nil {
		return nil, err
	}
	ready := false
	defer func() {
		if !ready {
			db.Close()
		}
	}()
	if !isNew && !opt.NoSync && !opt.ReadOnly {
		// The process before may have been killed between writing and syncing a
		// commit. What is read of it now must not be gone after a power cut.
		if err := db.file.Sync(); err != nil {
			return nil, err
		}
	}
	if err := db.migrate(specs, opt.ReadOnly); err != nil {
		return nil, err
	}
	if err := db.loadCursor(); err != nil {
		return nil, err
	}
	if isNew && !opt.NoSync {
		// A file's own fsync does not promise that its name survives a power cut.
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	ready = true
	return db, nil
}

// create makes an empty store whole or not at all, so that a file without a
// beginning is always one that was damaged, never one whose making was cut off.
func create(path string, opt Options) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var db DB
	err := db.openFile(next, opt)
	if err == nil {
		err = db.bolt.Close()
	}
	if err == nil {
		err = os.Link(next, path) // unlike Rename it fails if path exists
	}
	if gone := os.Remove(next); err == nil {
		err = gone
	}
	return err
}

func (db *DB) openFile(path string, how Options) error {
	opt := &bbolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoSync:       how.NoSync,
		ReadOnly:     how.ReadOnly,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			db.file = f
			return f, err
		},
	}
	err := contain(func() (err error) {
		db.bolt, err = bbolt.Open(path, fileMode, opt)
		return err
	})
	if err != nil {
		if db.file != nil {
			db.file.Close() // after a panic bbolt still holds it
		}
		return openError(err)
	}
	return nil
}

// Commits returns how many transactions were written since the store was opened.
func (db *DB) Commits() uint64 { return db.commits.Load() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, fs.ErrInvalid) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // not every file system syncs folders
	}
	return errors.Join(err, d.Close())
}

// Close waits for the transactions under way and closes the file. Calls of
// Update that came before are finished, later ones get ErrClosed.
func (db *DB) Close() error {
	db.mu.Lock()
	for len(db.waiting) > 0 && !db.closed {
		db.mu.Unlock()
		_ = db.Update(func(*Tx) error { return nil }) // takes them along; they learn of errors
		db.mu.Lock()
	}
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	wait := db.leading
	if wait {
		db.idle = make(chan struct{})
	}
	db.mu.Unlock()
	if wait {
		<-db.idle
	}
	if db.stuck {
		return db.file.Close()
	}
	return db.bolt.Close()
}

// View runs fn in a read-only transaction, a snapshot of the last commit, and
// returns its error. fn must be short: the file can't grow meanwhile.
func (db *DB) View(fn func(*Tx) error) error {
	return db.view(func(b *bbolt.Tx) error {
		tx := &Tx{db: db, shared: &shared{bolt: b}}
		defer func() { tx.over = true }()
		return fn(tx)
	})
}

func (db *DB) view(fn func(*bbolt.Tx) error) error {
	var b *bbolt.Tx
	err := contain(func() (err error) {
		b, err = db.bolt.Begin(false)
		return err
	})
	if err != nil {
		return beginError(err)
	}
	defer func() { _ = b.Rollback() }() // of a reader it only lets go
	return fn(b)
}
