package codec

import (
	"bytes"
	"testing"
)

func TestRestIsJoinedAgain(t *testing.T) {
	for _, pairs := range []int{1, 2, 23, 24, 25, 255, 256, 300} {
		all, known := make(map[uint64]string), make(map[uint64]string)
		for i := range uint64(pairs) {
			all[i*40] = "x"
			if i < uint64(pairs)/2 {
				known[i*40] = "x"
			}
		}
		data, err := Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		part, err := Marshal(known)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := RestOf(data, max(uint64(pairs)/2, 1)*40-1)
		if pairs == 1 {
			rest, err = Rest{1, data[1:]}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rest.Join(part); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d pairs: %x, %v, want %x", pairs, got, err, data)
		}
		if none, err := RestOf(data, 1<<40); err != nil || none.pairs != 0 {
			t.Errorf("%d pairs, all known: %v, %v", pairs, none, err)
		}
	}
	full := make(map[uint64]bool)
	for i := range uint64(maxPairs) {
		full[i] = true
	}
	data, err := Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Rest{1, []byte{0x19, 0xff, 0xff, 0}}).Join(data); err == nil {
		t.Error("joined to more pairs than can be read")
	}
	for _, bad := range [][]byte{nil, {0x01}, {0xa1}, {0xa1, 0x01}, {0xa2, 0x01, 0x01}, {0xa2, 0x06, 0x01, 0x01, 0x01}} {
		if _, err := RestOf(bad, 5); err == nil {
			t.Errorf("%x is taken", bad)
		}
		if _, err := (Rest{1, []byte{9, 9}}).Join(bad[:min(len(bad), 1)]); err == nil && (len(bad) == 0 || bad[0]>>5 != majorMap) {
			t.Errorf("joined to %x", bad)
		}
	}
}
