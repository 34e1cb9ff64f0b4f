package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"

	"contactsd/contact"
	"contactsd/internal/codec"
)

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{0xa1, 0x01, 0x61, 'x'})
	f.Add([]byte{0xa2, 0x01, 0x61, 'x', 0x02, 0x05})
	f.Add([]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	if data, err := codec.Marshal(event(1)); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		again(t, data, note{})
		again(t, data, contact.Event{})
		again(t, data, []string(nil))
	})
}

// again checks that what can be read can be written and read again.
func again[V any](t *testing.T, data []byte, _ V) {
	v, err := decode[V](data)
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%v does not wrap ErrCorrupt", err)
		}
		return
	}
	first, err := encode(v)
	if err != nil {
		t.Fatalf("%+v was read and can't be written: %v", v, err)
	}
	back, err := decode[V](first)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := encode(back); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%x became %x: %v", first, second, err)
	}
}

// FuzzOpen overwrites 8 bytes at each of some places of a good file, cuts it,
// and uses what then opens: there may be errors, and no panic, fault or hang.
func FuzzOpen(f *testing.F) {
	whole := filledFile(f)
	for page := range uint32(12) {
		for _, at := range []uint32{0, 8, 10, 12, 16, 20, 24, 28, 56, 64} {
			f.Add(page*4096+at, uint64(1<<63|3), page*4096+at+4096, uint64(0xffff0001), uint32(0))
		}
	}
	f.Add(uint32(0), uint64(0), uint32(0), uint64(0), uint32(9000))
	path := filepath.Join(f.TempDir(), "store")
	f.Fuzz(func(t *testing.T, at1 uint32, v1 uint64, at2 uint32, v2 uint64, cut uint32) {
		file := bytes.Clone(whole)
		overwrite(file, at1, v1)
		overwrite(file, at2, v2)
		file = file[:len(file)-int(cut%uint32(len(file)))]
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		report, checkErr := Check(path, notes, lists)
		if err := useMangled(path); errors.Is(err, ErrCorrupt) && checkErr == nil && len(report.Damage) == 0 {
			t.Fatalf("called whole, and refused: %v", err)
		}
	})
}

// overwrite also makes the checksums of the meta pages fit again, or hardly
// anything would get past them.
func overwrite(file []byte, at uint32, v uint64) {
	const sum = pageHeader + 56
	at %= uint32(len(file) - 8)
	binary.NativeEndian.PutUint64(file[at:], v)
	if page := int(at) / 4096 * 4096; page < 8192 {
		h := fnv.New64a()
		h.Write(file[page+pageHeader : page+sum])
		binary.NativeEndian.PutUint64(file[page+sum:], h.Sum64())
	}
}

// useMangled returns the error of opening.
func useMangled(path string) error {
	db, err := Open(path, Options{NoSync: true, JournalLimit: 500}, notes, lists)
	if err != nil {
		return err
	}
	defer db.Close()
	_ = db.View(func(tx *Tx) error {
		for _, r := range []Range{{}, {Reverse: true}, {From: []byte("key-1")}} {
			for range notes.Scan(tx, r) {
			}
		}
		_, _, err := notes.Get(tx, []byte("key-2123"))
		return err
	})
	_, _ = db.Events(0, 2000)
	for range 3 {
		_ = db.Update(func(tx *Tx) error {
			return errors.Join(notes.Put(tx, []byte("key-1"), note{Text: "x"}), notes.Delete(tx, []byte("key-2123")), tx.Emit(event(1)), lists.Put(tx, []byte("l"), nil))
		})
	}
	return nil
}
