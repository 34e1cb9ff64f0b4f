package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// page is a meta page's content that a log may have.
func testMeta(txid uint64) meta {
	raw := make([]byte, metaSize)
	for i, v := range []uint64{metaVersion<<32 | metaMagic, 4096, 3, 0, 2, 9, txid} {
		for n := range 8 {
			raw[i*8+n] = byte(v >> (8 * n))
		}
	}
	m := meta{pageSize: 4096, root: 3, freelist: 2, pages: 9}
	copy(m.raw[:], raw)
	return m.as(txid)
}

// inMemory is a log's file.
type inMemory struct{ data []byte }

func (m *inMemory) WriteAt(b []byte, at int64) (int, error) {
	m.data = append(m.data, make([]byte, max(0, int(at)+len(b)-len(m.data)))...)
	return copy(m.data[at:], b), nil
}

func (m *inMemory) Sync() error  { return nil }
func (m *inMemory) Close() error { return nil }

func newMemoryWAL(t testing.TB, n nonce, txid uint64) (*wal, *inMemory) {
	t.Helper()
	file := &inMemory{}
	w := &wal{file: file}
	if err := w.grow(32 * walBlock); err != nil {
		t.Fatal(err)
	}
	w.begin(n, testMeta(txid))
	return w, file
}

func appendRecord(t testing.TB, w *wal, txid uint64, payload string) {
	t.Helper()
	if err := w.append(txid, append(make([]byte, walRecordHeader), payload...)); err != nil {
		t.Fatal(err)
	}
}

// A change of these lines is a change of what is on users' disks: it needs another
// magic, not another golden file.
func TestLogFormat(t *testing.T) {
	w, file := newMemoryWAL(t, nonce([]byte("0123456789abcdef")), 7)
	r := &redo{record: make([]byte, walRecordHeader), limit: maxRecord}
	r.note(redoPut, "table/note", []byte("key"), []byte("value"))
	r.note(redoDelete, "table/note", []byte("old"))
	r.noteSequence("journal", 300)
	if err := w.append(8, r.record); err != nil {
		t.Fatal(err)
	}
	got := hex.Dump(file.data[:walHeader]) + hex.Dump(file.data[walBlock:walBlock+walRecordHeader+64])
	want, err := os.ReadFile(filepath.Join("testdata", "wal.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("the format of the log changed:\n%s\nwant:\n%s", got, want)
	}
}

func TestLogHoldsWhatWasAppended(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, file := newMemoryWAL(t, nonce{1}, 5)
		txid := uint64(5)
		for range rapid.IntRange(0, 3).Draw(rt, "checkpoints") {
			txid += 10
			w.begin(nonce{byte(txid)}, testMeta(txid))
			var want []string
			for range rapid.IntRange(0, 6).Draw(rt, "records") {
				payload := strings.Repeat("x", rapid.IntRange(1, 3*walBlock).Draw(rt, "size"))
				if !w.fits(make([]byte, walRecordHeader+len(payload))) {
					break
				}
				txid++
				appendRecord(t, w, txid, payload)
				want = append(want, payload)
				if rapid.IntRange(0, 4).Draw(rt, "cancel") == 0 {
					if err := w.cancel(); err != nil {
						rt.Fatal(err)
					}
					txid--
					want = want[:len(want)-1]
				}
			}
			c, err := decodeWAL(file.data)
			if err != nil {
				rt.Fatal(err)
			}
			if len(want) == 0 {
				if c != nil && c.nonce == w.nonce && len(c.payloads) > 0 {
					rt.Fatalf("%d records, none was written", len(c.payloads))
				}
				continue
			}
			if len(c.payloads) != len(want) || c.txid != txid || c.nonce != w.nonce || c.meta != w.meta {
				rt.Fatalf("%d records up to %d, want %d up to %d", len(c.payloads), c.txid, len(want), txid)
			}
			for i, payload := range c.payloads {
				if string(payload) != want[i] {
					rt.Fatalf("record %d of %d bytes, want %d", i, len(payload), len(want[i]))
				}
			}
		}
	})
}

// What power cut off at the end was not acknowledged. What is lost before it was.
func TestLogTellsATornEndFromALostRecord(t *testing.T) {
	w, file := newMemoryWAL(t, nonce{1}, 5)
	for i := range 4 {
		appendRecord(t, w, uint64(6+i), strings.Repeat("x", 2*walBlock))
	}
	for record := range 4 {
		for _, at := range []int{0, 20, 33, 37, walRecordHeader, 2*walBlock + 10} {
			data := bytes.Clone(file.data)
			data[walBlock+record*3*walBlock+at] ^= 0xff
			c, err := decodeWAL(data)
			if record < 3 {
				if wantError(t, err, ErrCorrupt); !strings.Contains(err.Error(), fmt.Sprintf("record %d of its log", record+1)) {
					t.Fatalf("record %d: %v", record, err)
				}
				continue
			}
			if err != nil || len(c.payloads) != 3 || c.txid != 8 {
				t.Fatalf("record %d, byte %d: %v, %v", record, at, c, err)
			}
		}
	}
}

func FuzzDecodeLog(f *testing.F) {
	w, file := newMemoryWAL(f, nonce{1}, 5)
	r := &redo{record: make([]byte, walRecordHeader), limit: maxRecord}
	r.note(redoPut, "table/note", []byte("key"), []byte("value"))
	r.note(redoDelete, "table/note", []byte("key"))
	r.noteSequence("journal", 300)
	payload := bytes.Clone(r.record[walRecordHeader:])
	if err := w.append(6, r.record); err != nil {
		f.Fatal(err)
	}
	f.Add(file.data, payload)
	f.Add([]byte{}, []byte{redoPut, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add(file.data[:walBlock], []byte{redoSequence, 1, 'j'})
	f.Fuzz(func(t *testing.T, data, payload []byte) {
		c, err := decodeWAL(data)
		if err != nil && !errors.Is(err, ErrCorrupt) || err == nil && c != nil && c.txid < c.meta.txid && len(c.payloads) == 0 {
			t.Fatal(c, err)
		}
		again := &redo{limit: 1 << 30}
		for rest := payload; len(rest) > 0; {
			d, next, err := nextDeed(rest)
			if err != nil {
				return
			}
			switch d.op {
			case redoPut:
				again.note(d.op, string(d.bucket), d.key, d.value)
			case redoDelete:
				again.note(d.op, string(d.bucket), d.key)
			case redoSequence:
				again.noteSequence(string(d.bucket), d.sequence)
			}
			rest = next
		}
		// Numbers may be written longer than they need to be, and never shorter.
		if len(again.record) > len(payload) {
			t.Fatalf("%x became %x", payload, again.record)
		}
	})
}
