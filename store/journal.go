package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"contactsd/contact"
)

const (
	journalBucket = "journal"
	journalFill   = 0.95 // rows are only added at the end
	maxPruneChunk = 1024
)

// Entry is an event with its place in the journal.
type Entry struct {
	Cursor uint64 // 1 for the first event of a store
	Event  contact.Event
}

// Emit adds an event to the journal, in the transaction of the change it tells.
func (tx *Tx) Emit(e contact.Event) error {
	if err := tx.emit(e); err != nil {
		return fmt.Errorf("emit %s: %w", e.Type, err)
	}
	return nil
}

func (tx *Tx) emit(e contact.Event) error {
	data, err := encode(e)
	if err != nil {
		return err
	}
	err = tx.write(journalBucket, func(b *bucket) error {
		b.FillPercent = journalFill
		cursor := b.Sequence() + 1
		if err := b.SetSequence(cursor); err != nil {
			return err
		}
		if err := b.Put(Uint64(cursor), data); err != nil {
			return err
		}
		tx.shared.newest = cursor
		return prune(b, cursor, tx.db.journalLimit)
	})
	if err == nil {
		tx.emitted = true
	}
	return err
}

// NewJournal drops all events and goes on with cursors of the present: in a store
// that was restored from a copy, those after the copy's were given already, and a
// reader who returns with one must learn that it has missed something.
func (tx *Tx) NewJournal() error {
	err := tx.write(journalBucket, func(b *bucket) error {
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.First() {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		// Events are rarer than microseconds, so none was given a cursor as high.
		tx.shared.newest = max(b.Sequence()+1, uint64(max(tx.Now().UnixMicro(), 0)))
		return b.SetSequence(tx.shared.newest)
	})
	if err != nil {
		return fmt.Errorf("new journal: %w", err)
	}
	tx.emitted = true
	return nil
}

// durableCursor returns the cursor of the newest event that is on the disk. A
// transaction can be read from the moment at which bbolt has written it, which is
// before it is synced: a reader who was told of it, and then power fails, would
// come back with a cursor that another event has got meanwhile.
func (db *DB) durableCursor() uint64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.durable
}

// prune drops events beyond the limit, many at once now and then: an eighth of
// the limit, so that most commits do not touch the old end of the journal.
func prune(b *bucket, newest, limit uint64) error {
	chunk := min(max(limit/8, 1), maxPruneChunk)
	if newest <= limit || newest%chunk != 0 {
		return nil
	}
	c := b.Cursor()
	k, _ := c.First()
	if len(k) != 8 {
		return nil
	}
	oldest := binary.BigEndian.Uint64(k)
	// The bound matters once, after the limit was lowered.
	for n := oldest; n <= newest-limit && n < oldest+2*maxPruneChunk; n++ {
		if err := b.Delete(Uint64(n)); err != nil {
			return err
		}
	}
	return nil
}

// Events returns up to limit events that follow the cursor after, oldest first;
// none if there are none yet. It returns ErrCursor if some of them were dropped
// already, or if after is ahead of the newest.
func (db *DB) Events(after uint64, limit int) (entries []Entry, err error) {
	if limit < 1 {
		return nil, fmt.Errorf("events: limit %d, at least 1", limit)
	}
	newest := db.durableCursor() // before the snapshot, which thus has all of them
	err = db.View(func(tx *Tx) error {
		entries, err = tx.events(after, newest, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("events after %d: %w", after, err)
	}
	return entries, nil
}

func (tx *Tx) events(after, newest uint64, limit int) (entries []Entry, err error) {
	err = tx.read(journalBucket, func(b *bucket) error {
		if after == newest {
			return nil
		}
		if after > newest {
			return fmt.Errorf("%w: the newest is %d; read anew", ErrCursor, newest)
		}
		c := b.Cursor()
		next := after + 1
		for k, v := c.Seek(Uint64(next)); k != nil && len(entries) < limit && next <= newest; k, v = c.Next() {
			if len(k) != 8 {
				return damaged(fmt.Sprintf("journal key of %d bytes", len(k)))
			}
			cursor := binary.BigEndian.Uint64(k)
			if cursor != next {
				return fmt.Errorf("%w: the oldest is %d; read anew", ErrCursor, cursor)
			}
			e, err := decode[contact.Event](v)
			if err != nil {
				return fmt.Errorf("event %d: %w", cursor, err)
			}
			entries = append(entries, Entry{cursor, e})
			next++
		}
		if len(entries) == 0 {
			return fmt.Errorf("%w: events were dropped; read anew", ErrCursor)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrCursor) {
		entries = nil
	}
	return entries, err
}

// Cursor returns the cursor of the newest event, 0 if there never was one.
func (db *DB) Cursor() (newest uint64, err error) {
	newest = db.durableCursor()
	return newest, db.view(func(*bbolt.Tx) error { return nil }) // ErrClosed, if it is
}

// loadCursor takes the newest cursor of a store that was just opened.
func (db *DB) loadCursor() error {
	return db.View(func(tx *Tx) error {
		return tx.read(journalBucket, func(b *bucket) error {
			db.durable = b.Sequence()
			return nil
		})
	})
}

// Emitted returns a channel that is closed by the next commit with an event.
// To miss none: take the channel, read Events to the end, then wait.
func (db *DB) Emitted() <-chan struct{} {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.emitted == nil {
		db.emitted = make(chan struct{})
	}
	return db.emitted
}

// broadcast says that events up to newest are on the disk.
func (db *DB) broadcast(newest uint64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.durable = newest
	if db.emitted != nil {
		close(db.emitted)
		db.emitted = nil
	}
}
