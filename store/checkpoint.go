package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// A commit of bbolt is pages, a sync, the meta page that makes them count, and
// another sync. Here that is what a checkpoint does. Between two checkpoints a
// transaction is one record in the log, which is synced; bbolt then writes its
// pages and its meta page for the readers, and whether and when they reach the
// disk does not matter.
//
// That holds as long as no page of the checkpoint is written over: base, a read
// transaction as of the checkpoint, keeps bbolt from it until the next one. bbolt
// can't enlarge its mapping of the file while base is open and would wait for ever,
// so it is told a size above which it fails; base is then let go of after a checkpoint,
// when the log holds nothing, and the transaction runs again.

// When a checkpoint is made that nobody has asked for.
const (
	// As long as base is open, bbolt keeps the pages of the checkpoint that were
	// replaced, and looks for some of them in a list as long as this.
	maxRecords = 1024
	// Pages that were added to the file and replaced are free only after it.
	maxGrowth = 4 << 20 // bytes
	// A larger transaction is many already, and would be written twice. Between 64 KiB
	// and 1 MiB no difference was seen.
	maxRecord = 256 << 10 // bytes
	// idleAfter is how long nothing was written.
	idleAfter = 500 * time.Millisecond

	// How many checkpoints are made before there is a log, so that who writes little
	// has none, and before it is tried again if the disk is full.
	withoutWAL = 16
	triedAgain = 1024
)

// How much bbolt maps of the file, and by how much the file grows at once.
const (
	mapped64   = 1 << 30 // bytes, of addresses alone
	mapped32   = 64 << 20
	minMapped  = 1 << 20
	minReserve = 256 << 10
	maxGrow    = 16 << 20
	minGrow    = 16 << 10
)

// tuning is changed by tests alone.
type tuning struct {
	mapped     int             // bytes that are mapped at first
	records    uint64          // as maxRecords
	withoutWAL int             // as the constant
	wal        func(*wal)      // is called with each log
	bolt       func(*bbolt.DB) // is called before anything is written with it
}

// errNoRoom: the transaction needs a larger mapping, and was undone.
var errNoRoom = errors.New("no room in the mapping")

// recording returns what the next transaction is noted in, nil if it needs no note.
func (db *DB) recording() *redo {
	if db.base == nil {
		return nil
	}
	return &redo{record: append(db.buffer[:0], make([]byte, walRecordHeader)...), limit: maxRecord}
}

// logged reports whether a transaction is to be written to the log.
func (db *DB) logged(b *bbolt.Tx, s *shared) bool {
	w := db.wal
	return db.base != nil && s.redo != nil && !s.settle && !s.redo.over &&
		w.records < db.tuning.records && w.fits(s.redo.record) && b.Size()-db.base.Size() < maxGrowth
}

// commit makes a transaction durable.
func (db *DB) commit(b *bbolt.Tx, s *shared) error {
	if !db.logged(b, s) {
		return db.commitCheckpoint(b)
	}
	err := db.wal.append(uint64(b.ID()), s.redo.record)
	db.buffer = s.redo.record[:0]
	if err != nil {
		db.rollback(b)
		if !isSync(err) && db.wal.erase() == nil {
			return commitError(err, true)
		}
		return db.breakOff(commitError(err, false)) // whether the record is on the disk is unknown
	}
	db.bolt.NoSync, db.bolt.NoFreelistSync = true, true
	db.limit(b, true)
	err = db.commitBolt(b)
	if err == nil || db.isBroken() {
		return err
	}
	if undo := db.wal.cancel(); undo != nil {
		return db.breakOff(commitError(fmt.Errorf("%w, and %w", err, undo), false))
	}
	return err
}

// commitCheckpoint commits a transaction the way bbolt does, and has the log follow
// it if there is to be one.
func (db *DB) commitCheckpoint(b *bbolt.Tx) error {
	var m mark
	if !db.noSync && !db.closing && db.prepareWAL() {
		m.txid = uint64(b.ID())
		rand.Read(m.nonce[:])
	}
	if err := contain(func() error { return m.put(b) }); err != nil {
		db.rollback(b)
		return err
	}
	db.bolt.NoSync, db.bolt.NoFreelistSync = db.noSync, false
	db.limit(b, !db.settling)
	if err := db.commitBolt(b); err != nil {
		return err
	}
	db.rebase(m)
	return nil
}

// put marks a transaction as a checkpoint, the zero mark as one that needs no log.
func (m mark) put(b *bbolt.Tx) error {
	bucket := b.Bucket([]byte(metaBucket))
	switch {
	case bucket == nil:
		return damaged("without format")
	case m != mark{}:
		return errors.Join(bucket.Put([]byte(markKey), m.encode()), putVersion(bucket, formatKey, formatLogged))
	case bucket.Get([]byte(markKey)) == nil:
		return nil
	}
	return errors.Join(bucket.Delete([]byte(markKey)), putVersion(bucket, formatKey, formatVersion))
}

// limit has bbolt fail where it would wait for base. reserve leaves space for the
// checkpoint that then has to be made: a few pages and the list of the free ones,
// 8 bytes for each page of the file.
func (db *DB) limit(b *bbolt.Tx, reserve bool) {
	grow := min(max(int(b.Size()/2), minGrow), maxGrow, db.mapped/2)
	db.bolt.AllocSize = grow
	db.bolt.MaxSize = db.maxSize
	if db.base == nil {
		return
	}
	limit := db.mapped
	if reserve {
		limit -= max(limit/64, minReserve)
	}
	// With that, bbolt fails if it needs limit bytes, or more: it adds what the
	// file grows by.
	limit += grow - 1
	if db.maxSize == 0 || limit < db.maxSize {
		db.bolt.MaxSize = limit
	}
}

// commitBolt commits b and says what became of it if there is an error.
func (db *DB) commitBolt(b *bbolt.Tx) error {
	id := b.ID()
	err := contain(b.Commit)
	if err == nil {
		return nil
	}
	db.rollback(b)
	full := errors.Is(err, berrors.ErrMaxSizeReached) && db.base != nil && db.bolt.MaxSize != db.maxSize
	if err = db.afterFailure(id, err); full && !db.isBroken() {
		return errNoRoom
	}
	return err
}

// rebase has the log follow the checkpoint that was just made. If that fails, the
// next transaction is one again.
func (db *DB) rebase(m mark) {
	if db.base == nil {
		db.mapped = max(db.mapped, db.mappedAtLeast())
	}
	db.marked = m != mark{}
	var base *bbolt.Tx
	err := contain(func() (err error) {
		if db.marked {
			base, err = db.bolt.Begin(false)
		}
		return err
	})
	db.letGo()
	if err != nil || base == nil {
		return
	}
	at, ok := metaAt(db.file, int64(m.txid%2)*int64(db.bolt.Info().PageSize))
	if !ok || at.txid != m.txid || uint64(base.ID()) != m.txid {
		_ = base.Rollback()
		return
	}
	db.base = base
	db.wal.begin(m.nonce, at)
}

// mappedAtLeast returns a size that bbolt has mapped, given the pages it has.
func (db *DB) mappedAtLeast() (size int) {
	_ = db.view(func(b *bbolt.Tx) error {
		size = mapSize(int(b.Size()))
		return nil
	})
	return size
}

// mapSize is what bbolt maps of a file that needs size bytes.
func mapSize(size int) int {
	for n := 1 << 15; n < 1<<30; n *= 2 {
		if size <= n {
			return n
		}
	}
	// With 32 bits, the last step is a byte short.
	return int(min((int64(size)+1<<30-1)>>30<<30, math.MaxInt))
}

// prepareWAL reports whether there is a log, and makes it larger if it was filled.
func (db *DB) prepareWAL() bool {
	if db.wal == nil {
		if db.unlogged < db.tuning.withoutWAL {
			db.unlogged++
			return false
		}
		db.unlogged -= triedAgain
		w, err := createWAL(db.path + walSuffix)
		if err != nil {
			return false
		}
		if db.wal = w; db.tuning.wal != nil {
			db.tuning.wal(w)
		}
		return true
	}
	if w := db.wal; w.next > w.size/2 && w.records < db.tuning.records && w.size < maxWALSize {
		_ = w.grow(min(2*w.size, maxWALSize))
	}
	return true
}

// letGo lets bbolt have the pages of the checkpoint. The next transaction is one.
func (db *DB) letGo() {
	if db.base != nil {
		_ = db.base.Rollback()
		db.base = nil
	}
}

// alone runs fn in a transaction that is a checkpoint, while nobody else writes.
func (db *DB) alone(fn func(*bbolt.Tx) error) error {
	var b *bbolt.Tx
	err := contain(func() (err error) {
		b, err = db.bolt.Begin(true)
		return err
	})
	if err != nil {
		return beginError(err)
	}
	defer db.rollback(b) // does nothing after the commit
	if err := fn(b); err != nil {
		return err
	}
	return db.commitCheckpoint(b)
}

// settle makes a checkpoint, which takes the log's content into the store.
func (db *DB) settle() error {
	db.settling = true
	defer func() { db.settling = false }()
	return db.alone(func(*bbolt.Tx) error { return nil })
}

// makeRoom lets the next transaction have a larger mapping.
func (db *DB) makeRoom() error {
	if err := db.settle(); err != nil {
		return err
	}
	db.letGo()
	return nil
}

// unsettled reports whether the log holds what the store does not.
func (db *DB) unsettled() bool { return db.base != nil && db.wal.records > 0 }

// watch sees to it that there is a checkpoint once nothing was written for a
// while. Nothing runs if nothing is written: it is tried once after the last commit,
// and if it fails then, as on a full disk, again after the next one.
func (db *DB) watch() {
	seen := db.commits.Load()
	if db.watched || !db.unsettled() || seen == db.tried {
		return
	}
	db.watched = true
	db.timer = time.AfterFunc(idleAfter, func() {
		_ = db.Update(func(tx *Tx) error { // if it fails, the log still has everything
			db.watched = false
			if seen == db.commits.Load() && db.unsettled() {
				tx.shared.settle, db.tried = true, seen
			}
			return nil
		})
	})
}

// finish leaves a store that needs no log, when nobody uses it any more. If it
// can't, the log stays, and the error says why.
func (db *DB) finish() error {
	if db.timer != nil {
		db.timer.Stop()
	}
	var err error
	if db.marked && db.broken == nil {
		db.closing = true
		if err = db.settle(); err != nil {
			err = fmt.Errorf("%w; the log keeps what was acknowledged", err)
		}
	}
	kept := err != nil || db.broken != nil
	if !db.stuck {
		db.letGo()
	}
	if db.wal != nil {
		err = errors.Join(err, db.wal.file.Close())
	}
	if !kept && !db.readOnly {
		if gone := os.Remove(db.path + walSuffix); gone != nil && !os.IsNotExist(gone) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
