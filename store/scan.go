package store

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"
)

// Range selects rows by key. All three bounds apply at once; empty ones select
// everything.
type Range struct {
	Prefix  []byte
	From    []byte // whole key, inclusive
	Before  []byte // whole key, exclusive
	Reverse bool   // from the last to the first
}

// Row is a record with its key.
type Row[V any] struct {
	Key   []byte
	Value V
}

// Scan returns the rows of a range in the order of their keys. After an error
// there are no more rows. The table must not be written while it is scanned,
// which is an error: collect first.
func (t Table[V]) Scan(tx *Tx, r Range) iter.Seq2[Row[V], error] {
	return func(yield func(Row[V], error) bool) {
		s := scanner{from: later(r.Prefix, r.From), before: earlier(after(r.Prefix), r.Before), reverse: r.Reverse}
		for {
			key, data, err := t.step(tx, &s)
			if key == nil && err == nil {
				return
			}
			row := Row[V]{Key: key}
			if err == nil {
				row.Value, err = decode[V](data)
			}
			if err != nil {
				yield(Row[V]{}, t.wrap(key, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

type scanner struct {
	from, before []byte // nil: no bound
	reverse      bool
	cursor       *bbolt.Cursor
	writes       int
}

// step returns copies of the next row, a nil key at the end.
func (t Table[V]) step(tx *Tx, s *scanner) (key, data []byte, err error) {
	if !tx.db.tables[t.spec.name] {
		return nil, nil, errors.New("not among the tables given to Open")
	}
	err = tx.read(t.spec.bucket, func(b *bucket) error {
		var k, v []byte
		switch {
		case s.cursor == nil:
			s.cursor, s.writes = b.Cursor(), b.writes
			k, v = s.first()
		case b.writes != s.writes:
			return fmt.Errorf("written while it is scanned: collect the rows first")
		case s.reverse:
			k, v = s.cursor.Prev()
		default:
			k, v = s.cursor.Next()
		}
		if k == nil || s.beyond(k) {
			return nil
		}
		key, data = bytes.Clone(k), bytes.Clone(v)
		return nil
	})
	return key, data, err
}

func (s *scanner) first() (k, v []byte) {
	switch {
	case !s.reverse && s.from == nil:
		return s.cursor.First()
	case !s.reverse:
		return s.cursor.Seek(s.from)
	case s.before != nil:
		if k, _ := s.cursor.Seek(s.before); k != nil {
			return s.cursor.Prev()
		}
	}
	return s.cursor.Last()
}

func (s *scanner) beyond(k []byte) bool {
	if s.reverse {
		return s.from != nil && bytes.Compare(k, s.from) < 0
	}
	return s.before != nil && bytes.Compare(k, s.before) >= 0
}

// after returns the first key after all that begin with prefix, nil if there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}

func later(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		a = b
	}
	if len(a) == 0 {
		return nil
	}
	return a
}

// earlier takes nil for no bound. An empty, non-nil Before is no bound either.
func earlier(a, b []byte) []byte {
	if a == nil || len(b) > 0 && bytes.Compare(b, a) < 0 {
		a = b
	}
	if len(a) == 0 {
		return nil
	}
	return a
}
