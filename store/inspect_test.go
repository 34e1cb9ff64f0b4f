package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

const testPage = 4096

// pageOf returns the last page of a type that has elements, as a part of file.
// The first branch pages in a file may be free ones of older transactions.
func pageOf(t *testing.T, file []byte, flags uint16) []byte {
	t.Helper()
	used := usedPages(t, file)
	for at := len(file) - testPage; at >= 2*testPage; at -= testPage {
		p := file[at : at+testPage]
		if used[at/testPage] && binary.NativeEndian.Uint16(p[8:]) == flags && binary.NativeEndian.Uint16(p[10:]) > 0 {
			return p
		}
	}
	t.Fatalf("no page of type %#x", flags)
	return nil
}

func usedPages(t *testing.T, file []byte) []bool {
	t.Helper()
	used := make([]bool, len(file)/testPage)
	var list []byte
	newest := uint64(0)
	for at := 0; at < 2*testPage; at += testPage {
		if txid := binary.NativeEndian.Uint64(file[at+pageHeader+48:]); txid >= newest {
			newest = txid
			id := binary.NativeEndian.Uint64(file[at+pageHeader+32:])
			list = file[id*testPage : (id+1)*testPage]
		}
	}
	for i := range used {
		used[i] = true
	}
	for n := range int(binary.NativeEndian.Uint16(list[10:])) {
		used[binary.NativeEndian.Uint64(list[pageHeader+8*n:])] = false
	}
	return used
}

// Each of these makes bbolt crash, hang or lose data when it meets them later.
func TestDamagedPagesAreRefusedAtOnce(t *testing.T) {
	whole := filledFile(t)
	native := binary.NativeEndian
	for name, damage := range map[string]func(t *testing.T, file []byte){
		"branch that leads to itself": func(t *testing.T, file []byte) {
			p := pageOf(t, file, branchPage)
			copy(p[pageHeader+8:], p[:8])
		},
		"branch that leads to one leaf twice": func(t *testing.T, file []byte) {
			p := pageOf(t, file, branchPage)
			copy(p[pageHeader+8:pageHeader+16], p[pageHeader+elementSize+8:])
		},
		"branch that leads out of the file": func(t *testing.T, file []byte) {
			native.PutUint64(pageOf(t, file, branchPage)[pageHeader+8:], 1<<40)
		},
		"branch with too many elements": func(t *testing.T, file []byte) {
			native.PutUint16(pageOf(t, file, branchPage)[10:], 0xffff)
		},
		"branch with none": func(t *testing.T, file []byte) {
			native.PutUint16(pageOf(t, file, branchPage)[10:], 0)
		},
		"leaf with a value beyond its page": func(t *testing.T, file []byte) {
			native.PutUint32(pageOf(t, file, leafPage)[pageHeader+12:], 1<<30)
		},
		"leaf with an empty key": func(t *testing.T, file []byte) {
			native.PutUint32(pageOf(t, file, leafPage)[pageHeader+8:], 0)
		},
		"leaf that runs over the end": func(t *testing.T, file []byte) {
			native.PutUint32(pageOf(t, file, leafPage)[12:], 0xffffffff)
		},
		"leaf of no type": func(t *testing.T, file []byte) {
			native.PutUint16(pageOf(t, file, leafPage)[8:], 0x40)
		},
		"free list of any length": func(t *testing.T, file []byte) {
			p := pageOf(t, file, freePage)
			native.PutUint16(p[10:], 0xffff)
			native.PutUint64(p[pageHeader:], 1<<36)
		},
		"free page that is in use": func(t *testing.T, file []byte) {
			leaf := pageOf(t, file, leafPage)
			copy(pageOf(t, file, freePage)[pageHeader:], leaf[:8])
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := bytes.Clone(whole)
			damage(t, file)
			path := filepath.Join(t.TempDir(), "store")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path, Options{}, notes, lists)
			wantError(t, err, ErrCorrupt)
			if after, _ := os.ReadFile(path); !bytes.Equal(after, file) {
				t.Fatal("the refused file was changed")
			}
			// It is not locked either: it can be looked at, moved, replaced.
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			openTest(t, path, Options{}, notes, lists)
		})
	}
}
