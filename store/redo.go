package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// The payload of a record of the log is what a transaction did, in its order:
//
//	put        1, bucket, key, value
//	delete     2, bucket, key
//	sequence   3, bucket, uvarint: the sequence is set
//
// A bucket, key or value is its length as a uvarint, and its bytes.
const (
	redoPut      = 1
	redoDelete   = 2
	redoSequence = 3
)

// redo notes what a transaction does. A nil one notes nothing.
type redo struct {
	record []byte // begins with space for the header
	limit  int    // a record above it is not wanted, and not kept
	over   bool
}

func (r *redo) note(op byte, bucket string, parts ...[]byte) {
	if r == nil || r.over {
		return
	}
	r.record = append(r.record, op)
	r.record = binary.AppendUvarint(r.record, uint64(len(bucket)))
	r.record = append(r.record, bucket...)
	for _, p := range parts {
		r.record = binary.AppendUvarint(r.record, uint64(len(p)))
		r.record = append(r.record, p...)
	}
	r.bound()
}

func (r *redo) noteSequence(bucket string, sequence uint64) {
	if r == nil || r.over {
		return
	}
	r.note(redoSequence, bucket)
	r.record = binary.AppendUvarint(r.record, sequence)
	r.bound()
}

func (r *redo) bound() {
	if len(r.record) > r.limit {
		r.record, r.over = nil, true
	}
}

// deed is one thing that a transaction did.
type deed struct {
	op       byte
	bucket   []byte
	key      []byte
	value    []byte
	sequence uint64
}

var errDeed = errors.New("a record of the log that can't be read")

// nextDeed splits the first one off a payload.
func nextDeed(data []byte) (d deed, rest []byte, err error) {
	if len(data) == 0 {
		return d, nil, errDeed
	}
	d.op, rest = data[0], data[1:]
	parts := []*[]byte{&d.bucket}
	switch d.op {
	case redoPut:
		parts = append(parts, &d.key, &d.value)
	case redoDelete:
		parts = append(parts, &d.key)
	case redoSequence:
	default:
		return d, nil, errDeed
	}
	for _, p := range parts {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return d, nil, errDeed
		}
		*p, rest = rest[n:n+int(length)], rest[n+int(length):]
	}
	if d.op == redoSequence {
		n := 0
		if d.sequence, n = binary.Uvarint(rest); n <= 0 {
			return d, nil, errDeed
		}
		rest = rest[n:]
	}
	return d, rest, nil
}

// replay does again what a payload says. It must be called within contain.
func replay(b *bbolt.Tx, payload []byte) error {
	for len(payload) > 0 {
		d, rest, err := nextDeed(payload)
		if err != nil {
			return damaged(err)
		}
		bucket := b.Bucket(d.bucket)
		if bucket == nil {
			return damaged(fmt.Sprintf("bucket %q of the log is missing", d.bucket))
		}
		switch d.op {
		case redoPut:
			err = bucket.Put(d.key, d.value)
		case redoDelete:
			err = bucket.Delete(d.key)
		case redoSequence:
			err = bucket.SetSequence(d.sequence)
		}
		if err != nil {
			return damaged(err)
		}
		payload = rest
	}
	return nil
}
