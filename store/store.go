package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Options of Open. The zero value is right for a daemon.
type Options struct {
	// NoSync leaves out every fsync, and with them the log: what was acknowledged may
	// be lost with the power, and the file with it. For tests that simulate the disk:
	// between two calls of Update, a copy of the file alone is whole.
	NoSync bool
	// ReadOnly opens a store that is there, beside others that read it, and
	// leaves every byte of it as it is: Update returns ErrReadOnly, and a store
	// that would have to be migrated is refused with ErrOlder.
	ReadOnly bool
	// JournalLimit is how many of the newest events are kept, 0 for 100,000.
	JournalLimit int
	// Clock is the device's, time.Now if nil. It may be wrong, and jump.
	Clock func() time.Time
	// Probe is for tests.
	Probe Probe

	tuning tuning
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
	clock        func() time.Time
	commits      atomic.Uint64
	path         string
	held         *os.File // of a store that was not closed and is read in a copy
	readOnly     bool
	noSync       bool
	maxSize      int // as of bbolt, 0 without limit
	tuning       tuning

	// Of the one who writes, see checkpoint.go.
	wal      *wal      // nil as long as there is none
	base     *bbolt.Tx // as of the checkpoint that the log follows; nil if it follows none
	mapped   int       // bytes of the file that bbolt has mapped, at least
	unlogged int       // checkpoints without a log
	marked   bool      // the newest checkpoint is marked as one
	settling bool      // a checkpoint is made that has to succeed in what is mapped
	closing  bool      // the last one, which needs no log
	watched  bool      // timer will look whether nothing is written any more
	tried    uint64    // commits when it had a checkpoint made
	timer    *time.Timer
	buffer   []byte // of the last record

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
	isNew, err := missing(path)
	if err != nil {
		return nil, err
	}
	opt.NoSync = opt.NoSync || neverSync
	db := &DB{
		tables: make(map[string]bool, len(specs)), journalLimit: uint64(opt.JournalLimit),
		path: path, readOnly: opt.ReadOnly, noSync: opt.NoSync, tuning: opt.tuning, probe: opt.Probe, clock: opt.Clock,
	}
	if db.tuning.withoutWAL == 0 {
		db.tuning.withoutWAL = withoutWAL
	}
	if db.tuning.records == 0 {
		db.tuning.records = maxRecords
	}
	for _, s := range specs {
		db.tables[s.name] = true
	}
	if isNew && opt.ReadOnly {
		return nil, fmt.Errorf("nothing there: %w", fs.ErrNotExist)
	}
	if isNew {
		if err := create(path, opt); err != nil {
			return nil, err
		}
	}
	if err := db.openFile(path, opt, specs); err != nil {
		return nil, err
	}
	ready := false
	defer func() {
		if !ready {
			db.Close()
		}
	}()
	if err := db.migrate(specs, opt.ReadOnly); err != nil {
		return nil, err
	}
	if err := db.loadCursor(); err != nil {
		return nil, err
	}
	if !opt.ReadOnly && !opt.NoSync {
		// A file's own fsync does not promise that its name survives a power cut, nor
		// does it that the file is there: who made it may have been killed before this.
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
	file, err := os.OpenFile(next, os.O_RDWR|os.O_CREATE, fileMode)
	var db DB
	if err == nil {
		err = db.openBolt(file, opt)
	}
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

// missing reports whether there is no store at path yet.
func missing(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, fmt.Errorf("%s is a folder", path)
	case info.Size() == 0:
		return false, damaged("empty")
	}
	return false, nil
}

// openFile opens the store, and does again what its log holds.
func (db *DB) openFile(path string, opt Options, specs []spec) (err error) {
	var file *os.File
	var todo *walContent
	if opt.ReadOnly {
		file, db.held, err = openToRead(path)
	} else {
		file, todo, err = openToWrite(path, !opt.NoSync, specs)
	}
	if err != nil {
		for _, f := range []*os.File{file, db.held} {
			if f != nil {
				f.Close()
			}
		}
		return openError(err)
	}
	err = db.openBolt(file, opt)
	if err == nil && todo != nil {
		if err = db.redo(todo); err != nil {
			err = errors.Join(err, db.bolt.Close())
		}
	}
	if err != nil && db.held != nil {
		db.held.Close()
	}
	return err
}

// openBolt has bbolt use a file, which it closes.
func (db *DB) openBolt(file *os.File, how Options) error {
	db.file = file
	opt := &bbolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoSync:       how.NoSync,
		ReadOnly:     how.ReadOnly,
		NoStatistics: true,
		OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	}
	if !how.ReadOnly {
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return err
		}
		opt.InitialMmapSize = mapped64
		switch {
		case how.tuning.mapped > 0:
			opt.InitialMmapSize = max(how.tuning.mapped, minMapped)
		case strconv.IntSize == 32:
			opt.InitialMmapSize = mapped32
		}
		db.mapped = mapSize(max(opt.InitialMmapSize, int(info.Size())))
	}
	err := contain(func() (err error) {
		db.bolt, err = bbolt.Open(file.Name(), fileMode, opt)
		return err
	})
	if err != nil {
		file.Close() // after a panic bbolt still holds it
		return openError(err)
	}
	if how.tuning.bolt != nil {
		how.tuning.bolt(db.bolt)
	}
	return nil
}

// Now returns the time by the device's clock, for what is written down or told. It
// may jump, so nothing waits by it.
func (db *DB) Now() time.Time {
	if db.clock != nil {
		return db.clock()
	}
	return time.Now()
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
// Update that came before are finished, later ones get ErrClosed. The store then
// is one file, without a log; if there is an error, it may be two.
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
	err := db.finish()
	if db.stuck {
		return errors.Join(err, db.file.Close())
	}
	err = errors.Join(err, db.bolt.Close())
	if db.held != nil {
		err = errors.Join(err, db.held.Close())
	}
	return err
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
