package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"contactsd/internal/codec"
)

// Limits of a row.
const (
	MaxKeySize    = 1024    // bytes
	MaxRecordSize = 1 << 20 // bytes of the encoded record
)

const (
	tablePrefix  = "table/"
	maxTableName = 64
	keyInErrors  = 8 // bytes of a key that an error shows
)

// Table is a set of records of type V by key, in the order of their keys.
// Package-wide values of it are fine: it is a description and holds no state.
type Table[V any] struct{ spec spec }

// Definition is a Table of any V, to be handed to Open.
type Definition interface{ definition() spec }

type spec struct {
	name       string
	bucket     string
	version    uint32
	migrations []Migration
	decode     func(data []byte) error // whether a record of the version can be read
}

// NewTable describes a table. Records are of the given version, 1 or more;
// migrations are the last steps towards it, the one from version-1 last. The
// name never changes; Open returns an error for one that is empty, too long or
// used twice.
func NewTable[V any](name string, version uint32, migrations ...Migration) Table[V] {
	return Table[V]{spec{
		name: name, bucket: tablePrefix + name, version: version, migrations: migrations,
		decode: func(data []byte) error {
			_, err := decode[V](data)
			return err
		},
	}}
}

func (t Table[V]) definition() spec { return t.spec }

func (s spec) check() error {
	switch {
	case s.name == "" || len(s.name) > maxTableName:
		return fmt.Errorf("table %q: a name has 1 to %d bytes", s.name, maxTableName)
	case s.version == 0:
		return fmt.Errorf("table %q: versions begin with 1", s.name)
	case uint64(len(s.migrations)) >= uint64(s.version):
		return fmt.Errorf("table %q: %d migrations to version %d, at most %d", s.name, len(s.migrations), s.version, s.version-1)
	}
	return nil
}

func collect(defs []Definition) ([]spec, error) {
	specs := make([]spec, 0, len(defs))
	seen := make(map[string]bool, len(defs))
	for _, d := range defs {
		s := d.definition()
		if err := s.check(); err != nil {
			return nil, err
		}
		if seen[s.name] {
			return nil, fmt.Errorf("table %q is defined twice", s.name)
		}
		seen[s.name] = true
		specs = append(specs, s)
	}
	return specs, nil
}

// Get returns the record at key and whether there is one. The error wraps
// ErrCorrupt if it can't be decoded.
func (t Table[V]) Get(tx *Tx, key []byte) (v V, ok bool, err error) {
	data, err := t.raw(tx, key)
	if err != nil || data == nil {
		return v, false, t.wrap(key, err)
	}
	if v, err = decode[V](data); err != nil {
		return v, false, t.wrap(key, err)
	}
	return v, true, nil
}

// raw returns a copy: mapped memory may fault when it is read.
func (t Table[V]) raw(tx *Tx, key []byte) (data []byte, err error) {
	if err := t.check(tx, key); err != nil {
		return nil, err
	}
	err = tx.read(t.spec.bucket, func(b *bucket) error {
		data = bytes.Clone(b.Get(key))
		return nil
	})
	return data, err
}

// Put writes the record at key, whether there was one or not.
func (t Table[V]) Put(tx *Tx, key []byte, v V) error {
	return t.wrap(key, t.put(tx, key, v))
}

func (t Table[V]) put(tx *Tx, key []byte, v V) error {
	if err := t.check(tx, key); err != nil {
		return err
	}
	data, err := encode(v)
	if err != nil {
		return err
	}
	return tx.write(t.spec.bucket, func(b *bucket) error { return b.Put(key, data) })
}

// Delete removes the record at key, if there is one.
func (t Table[V]) Delete(tx *Tx, key []byte) error {
	data, err := t.raw(tx, key)
	if err == nil && data != nil || errors.Is(tx.check(true), ErrReadOnly) {
		err = tx.write(t.spec.bucket, func(b *bucket) error { return b.Delete(key) })
	}
	return t.wrap(key, err)
}

func (t Table[V]) check(tx *Tx, key []byte) error {
	if !tx.db.tables[t.spec.name] {
		return errors.New("not among the tables given to Open")
	}
	if len(key) == 0 || len(key) > MaxKeySize {
		return fmt.Errorf("key of %d bytes, 1 to %d are possible", len(key), MaxKeySize)
	}
	return nil
}

func (t Table[V]) wrap(key []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("table %q, key %s: %w", t.spec.name, shown(key), err)
}

func shown(key []byte) string {
	if len(key) > keyInErrors {
		return fmt.Sprintf("%x… (%d bytes)", key[:keyInErrors], len(key))
	}
	return fmt.Sprintf("%x", key)
}

// encode returns only what decode accepts: text that is no UTF-8 or a list that
// is too long would be written without complaint and never be read again.
func encode[V any](v V) ([]byte, error) {
	data, err := codec.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxRecordSize {
		return nil, fmt.Errorf("record of %d bytes, at most %d", len(data), MaxRecordSize)
	}
	if err := codec.Check(data); err != nil {
		return nil, fmt.Errorf("record that could not be read again: %w", err)
	}
	return data, nil
}

func decode[V any](data []byte) (v V, err error) {
	if len(data) > MaxRecordSize {
		return v, fmt.Errorf("%w: record of %d bytes, at most %d", ErrCorrupt, len(data), MaxRecordSize)
	}
	if err := codec.Unmarshal(data, &v); err != nil {
		var none V
		return none, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return v, nil
}

// Key joins the parts of a key. Parts but the last must be of fixed length, or
// two keys could be the same.
func Key(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Uint64 returns n as 8 bytes, big endian, which sort as numbers do.
func Uint64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
