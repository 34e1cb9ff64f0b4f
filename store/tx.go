package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Tx is a transaction, valid until the function it was given to returns. It
// may be used by one goroutine at a time.
type Tx struct {
	db       *DB
	shared   *shared
	writable bool
	over     bool
	wrote    bool
	emitted  bool
	touched  bool  // it may have changed what the functions have in common
	damage   error // a write that stopped halfway; the transaction can't be committed
	onCommit []func()
}

// shared is what the functions of one commit have in common.
type shared struct {
	bolt    *bbolt.Tx
	buckets []*bucket // few, so a search beats a map
	newest  uint64    // cursor of the last event
	common  []common  // few as well
	redo    *redo     // of what they do
	settle  bool      // the commit is to be a checkpoint
}

// bucket is one of bbolt that notes what is written to it.
type bucket struct {
	*bbolt.Bucket
	redo   *redo
	name   string
	writes int // so that a scan notices a write under its feet
}

func (b *bucket) Put(key, value []byte) error {
	b.redo.note(redoPut, b.name, key, value)
	return b.Bucket.Put(key, value)
}

func (b *bucket) Delete(key []byte) error {
	b.redo.note(redoDelete, b.name, key)
	return b.Bucket.Delete(key)
}

func (b *bucket) SetSequence(n uint64) error {
	b.redo.noteSequence(b.name, n)
	return b.Bucket.SetSequence(n)
}

// Now returns the time by the device's clock, as DB.Now does.
func (tx *Tx) Now() time.Time { return tx.db.Now() }

// OnCommit has f called once the transaction is durable: on the goroutine that
// called Update, before Update returns, outside of any transaction. It is never
// called if the transaction fails, and never in a View.
func (tx *Tx) OnCommit(f func()) { tx.onCommit = append(tx.onCommit, f) }

func (tx *Tx) check(write bool) error {
	switch {
	case tx.over:
		return fmt.Errorf("transaction: %w", ErrClosed)
	case write && !tx.writable:
		return ErrReadOnly
	}
	return nil
}

// bucket must be called within contain.
func (tx *Tx) bucket(name string) (*bucket, error) {
	for _, b := range tx.shared.buckets {
		if b.name == name {
			return b, nil
		}
	}
	inner := tx.shared.bolt.Bucket([]byte(name))
	if inner == nil {
		return nil, damaged(fmt.Sprintf("bucket %q is missing", name))
	}
	b := &bucket{Bucket: inner, redo: tx.shared.redo, name: name}
	tx.shared.buckets = append(tx.shared.buckets, b)
	return b, nil
}

// write runs f, which changes a bucket. An error of bbolt itself within it
// spoils the transaction.
func (tx *Tx) write(name string, f func(*bucket) error) error {
	if err := tx.check(true); err != nil {
		return err
	}
	if tx.damage != nil {
		return tx.damage
	}
	tx.wrote = true
	err := contain(func() error {
		b, err := tx.bucket(name)
		if err != nil {
			return err
		}
		b.writes++
		return f(b)
	})
	if err != nil {
		tx.damage = err
	}
	return err
}

// read runs f, which reads a bucket.
func (tx *Tx) read(name string, f func(*bucket) error) error {
	if err := tx.check(false); err != nil {
		return err
	}
	return contain(func() error {
		b, err := tx.bucket(name)
		if err != nil {
			return err
		}
		return f(b)
	})
}
