package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Migration turns one row into a row of the next version. A nil newKey drops
// the row. It must not keep or change its arguments.
type Migration func(key, value []byte) (newKey, newValue []byte, err error)

const (
	metaBucket    = "meta"
	formatKey     = "format"
	formatVersion = 1
	formatLogged  = 2 // there is a checkpoint, which a log may follow
)

// migrate makes what is missing and brings every table to its version, in one
// transaction. A file in which nothing is to be done is not written.
func (db *DB) migrate(specs []spec, readOnly bool) error {
	var todo bool
	err := db.view(func(b *bbolt.Tx) error {
		return contain(func() (err error) {
			todo, err = stale(b, specs)
			db.marked = err == nil && !todo && b.Bucket([]byte(metaBucket)).Get([]byte(markKey)) != nil
			return err
		})
	})
	if err != nil || !todo {
		return err
	}
	if readOnly {
		return fmt.Errorf("%w to be read without changing it: start contactsd once, which brings it up to date", ErrOlder)
	}
	return db.alone(func(b *bbolt.Tx) error { return db.prepare(b, specs) })
}

// stale reports whether the file lacks anything of specs.
func stale(b *bbolt.Tx, specs []spec) (bool, error) {
	meta := b.Bucket([]byte(metaBucket))
	if meta == nil {
		if k, _ := b.Cursor().First(); k != nil {
			return false, damaged("a bbolt file of another program")
		}
		return true, nil
	}
	if err := newer(meta, specs); err != nil {
		return false, err
	}
	format, err := getVersion(meta, formatKey)
	if err != nil {
		return false, err
	}
	if format == 0 || b.Bucket([]byte(journalBucket)) == nil {
		return false, damaged("without format or journal")
	}
	if format == formatLogged != (meta.Get([]byte(markKey)) != nil) {
		return false, damaged("format without checkpoint, or a checkpoint without its format")
	}
	todo := false
	for _, s := range specs {
		have, err := getVersion(meta, s.bucket)
		if err != nil {
			return false, err
		}
		oldest := s.version - uint32(len(s.migrations))
		switch {
		case have != 0 && b.Bucket([]byte(s.bucket)) == nil:
			return false, damaged(fmt.Sprintf("table %q is missing", s.name))
		case have != 0 && have < oldest:
			return false, fmt.Errorf("%w: table %q has version %d, the oldest known here is %d; start a version between them first", ErrOlder, s.name, have, oldest)
		case have != s.version:
			todo = true
		}
	}
	return todo, nil
}

// newer returns an error that wraps ErrNewer if a newer program wrote what meta says.
func newer(meta versions, specs []spec) error {
	format, err := getVersion(meta, formatKey)
	if err != nil {
		return err
	}
	if format > formatLogged {
		return fmt.Errorf("%w: format %d, known here is %d; install that version again", ErrNewer, format, formatLogged)
	}
	for _, s := range specs {
		have, err := getVersion(meta, s.bucket)
		if err != nil {
			return err
		}
		if have > s.version {
			return fmt.Errorf("%w: table %q has version %d, known here is %d; install that version again", ErrNewer, s.name, have, s.version)
		}
	}
	return nil
}

func (db *DB) prepare(b *bbolt.Tx, specs []spec) error {
	var meta *bbolt.Bucket
	err := contain(func() (err error) {
		if meta, err = b.CreateBucketIfNotExists([]byte(metaBucket)); err != nil {
			return err
		}
		if _, err = b.CreateBucketIfNotExists([]byte(journalBucket)); err != nil {
			return err
		}
		if have, err := getVersion(meta, formatKey); have != 0 || err != nil {
			return err
		}
		return putVersion(meta, formatKey, formatVersion)
	})
	if err != nil {
		return err
	}
	for _, s := range specs {
		if err := s.upgrade(b, meta); err != nil {
			return fmt.Errorf("table %q: %w", s.name, err)
		}
	}
	return nil
}

func (s spec) upgrade(b *bbolt.Tx, meta *bbolt.Bucket) error {
	var have uint32
	err := contain(func() (err error) {
		have, err = getVersion(meta, s.bucket)
		return err
	})
	if err != nil || have == s.version {
		return err
	}
	var rows []rawRow
	if have != 0 {
		err := contain(func() (err error) {
			if rows, err = readAll(b.Bucket([]byte(s.bucket))); err != nil {
				return err
			}
			return b.DeleteBucket([]byte(s.bucket))
		})
		if err != nil {
			return err
		}
		// Each step sees all rows before the next one does, as it did when it
		// was the newest.
		for v := have; v < s.version; v++ {
			step := s.migrations[len(s.migrations)-int(s.version-v)]
			if rows, err = apply(step, rows); err != nil {
				return fmt.Errorf("migrate to version %d: %w", v+1, err)
			}
		}
	}
	return contain(func() error {
		if err := writeAll(b, s.bucket, rows); err != nil {
			return err
		}
		return putVersion(meta, s.bucket, s.version)
	})
}

type rawRow struct{ key, value []byte }

func readAll(b *bbolt.Bucket) (rows []rawRow, err error) {
	err = b.ForEach(func(k, v []byte) error {
		rows = append(rows, rawRow{bytes.Clone(k), bytes.Clone(v)})
		return nil
	})
	return rows, err
}

func apply(step Migration, rows []rawRow) ([]rawRow, error) {
	var next []rawRow
	seen := make(map[string]bool, len(rows))
	for _, r := range rows {
		key, value, err := step(r.key, r.value)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", shown(r.key), err)
		}
		if key == nil {
			continue
		}
		if seen[string(key)] {
			return nil, fmt.Errorf("key %s: two rows become one", shown(key))
		}
		seen[string(key)] = true
		next = append(next, rawRow{key, value})
	}
	return next, nil
}

func writeAll(b *bbolt.Tx, name string, rows []rawRow) error {
	bucket, err := b.CreateBucket([]byte(name))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if len(r.key) == 0 || len(r.key) > MaxKeySize {
			return fmt.Errorf("migrated key of %d bytes, 1 to %d are possible", len(r.key), MaxKeySize)
		}
		if len(r.value) > MaxRecordSize {
			return fmt.Errorf("key %s: migrated record of %d bytes, at most %d", shown(r.key), len(r.value), MaxRecordSize)
		}
		if err := bucket.Put(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// versions is a meta bucket, or a copy of it.
type versions interface{ Get(key []byte) []byte }

// getVersion returns 0 if there is none.
func getVersion(meta versions, key string) (uint32, error) {
	v := meta.Get([]byte(key))
	switch {
	case v == nil:
		return 0, nil
	case len(v) != 4 || binary.BigEndian.Uint32(v) == 0:
		return 0, damaged(fmt.Sprintf("version of %s", key))
	}
	return binary.BigEndian.Uint32(v), nil
}

func putVersion(meta *bbolt.Bucket, key string, version uint32) error {
	return meta.Put([]byte(key), binary.BigEndian.AppendUint32(nil, version))
}
