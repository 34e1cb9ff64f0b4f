package file

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
)

// hostile is a sender that says whatever a test wants.
type hostile struct {
	offer  offer
	pages  map[pageKind][][]byte
	chunk  func(n uint64) []byte // the answer to each chunk; nil is silence
	answer func(st transport.Stream, r request) bool
}

// offering makes what an honest sender would of these files and bytes.
func offering(name string, dir bool, l list, data []byte) *hostile {
	page, err := codec.Marshal(l)
	if err != nil {
		panic(err)
	}
	var hashes []byte
	for at := 0; at < len(data); at += ChunkSize {
		h := hashOf(data[at:min(at+ChunkSize, len(data))])
		hashes = append(hashes, h[:]...)
	}
	x := index{lists: []hash{hashOf(page)}}
	h := &hostile{
		offer: offer{Name: name, Size: uint64(len(data)), Files: uint64(len(l.Entries)), Dir: dir, Lists: 1},
		pages: map[pageKind][][]byte{pageList: {page}},
		chunk: func(n uint64) []byte { return data[n*ChunkSize : min((n+1)*ChunkSize, uint64(len(data)))] },
	}
	if len(hashes) > 0 {
		x.hashes = []hash{hashOf(hashes)}
		h.pages[pageHash] = [][]byte{hashes}
	}
	h.pages[pageIndex] = [][]byte{x.bytes()}
	h.offer.Root = hashOf(x.bytes())
	return h
}

func (h *hostile) serve(_ context.Context, st transport.Stream) {
	defer st.Close()
	fr := transport.NewFrameReader(st, maxRequest)
	for {
		r, err := readRequest(fr)
		if err != nil {
			return
		}
		if h.answer != nil && h.answer(st, r) {
			continue
		}
		switch r.Type {
		case requestPages:
			for n := r.From; n < r.From+r.Count; n++ {
				writeBlock(st, blockData, h.pages[r.Kind][n])
			}
		case requestChunks:
			for n := r.From; n < r.From+r.Count; n++ {
				writeBlock(st, blockData, h.chunk(n))
			}
		default:
			writeBlock(st, blockOK, nil)
		}
	}
}

// takes has bob accept what a hostile sender offers.
func (w *world) takes(h *hostile) ID {
	w.t.Helper()
	id, err := NewID()
	if err != nil {
		w.t.Fatal(err)
	}
	w.ana.net.Serve(Protocol, h.serve)
	body, err := h.offer.encode()
	if err == nil {
		err = w.ana.deliver(w.bob.self, id, body)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.bob.accepts(id)
	wait(5 * time.Second)
	return id
}

func TestHostileSenders(t *testing.T) {
	one := func(data []byte) *hostile {
		return offering("a", false, list{[]entry{{Path: fileName, Size: uint64(len(data))}}}, data)
	}
	folder := func(entries ...entry) *hostile {
		size := 0
		for _, e := range entries {
			size += int(e.Size)
		}
		return offering("a", true, list{entries}, make([]byte, size))
	}
	for name, c := range map[string]struct {
		h    *hostile
		want string
	}{
		"a path out of it":        {folder(entry{Path: "../../x", Size: 1}), "unsafe name"},
		"an absolute path":        {folder(entry{Path: "/etc/cron.d/x", Size: 1}), "unsafe name"},
		"a file as a folder":      {folder(entry{Path: "a", Size: 1}, entry{Path: "a/b", Size: 1}), "folder can't be used"},
		"more files than offered": {change(folder(entry{Path: "a"}, entry{Path: "b"}), func(o *offer) { o.Files = 1 }), "other files than offered"},
		"more bytes than offered": {change(one(make([]byte, 9)), func(o *offer) { o.Size = 8 }), "other files than offered"},
		"another path":            {offering("a", false, list{[]entry{{Path: "other", Size: 1}}}, []byte("x")), "other files than offered"},
		"a chunk that differs":    {chunk(one(make([]byte, 10)), make([]byte, 9), 1), "chunk 0"},
		"a chunk cut short":       {chunk(one(make([]byte, 10)), make([]byte, 9)), "protocol error"},
		"a chunk too long":        {chunk(one(make([]byte, 10)), make([]byte, 11)), "protocol error"},
		"another index":           {paged(one(make([]byte, 10)), pageIndex, make([]byte, 64)), "index"},
		"an index too long":       {paged(one(make([]byte, 10)), pageIndex, make([]byte, 1<<20)), "protocol error"},
		"another list":            {paged(one(make([]byte, 10)), pageList, make([]byte, 64)), "page 0 of the manifest"},
		"other hashes":            {paged(one(make([]byte, 10)), pageHash, make([]byte, 32)), "page 0 of the manifest"},
		"hashes of half a size":   {halfHashes(), "protocol error"},
		"words that lie":          {lying(one(make([]byte, 10))), "protocol error"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.takes(c.h)
				if got := w.bob.wants(id, Failed); !strings.Contains(got.Note, c.want) {
					t.Errorf("%q, want %q", got.Note, c.want)
				}
				w.bob.empty()
				err := w.bob.db.View(func(tx *store.Tx) error {
					for range pageTable.Scan(tx, store.Range{Prefix: id[:]}) {
						return errors.New("pages of it are left")
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func change(h *hostile, f func(*offer)) *hostile {
	f(&h.offer)
	return h
}

func chunk(h *hostile, data []byte, last ...byte) *hostile {
	h.chunk = func(uint64) []byte { return append(data, last...) }
	return h
}

func paged(h *hostile, kind pageKind, data []byte) *hostile {
	h.pages[kind][0] = data
	return h
}

// halfHashes is consistent but for a page of hashes that ends within one.
func halfHashes() *hostile {
	h := offering("a", false, list{[]entry{{Path: fileName, Size: 10}}}, make([]byte, 10))
	cut := h.pages[pageHash][0][:16]
	x := index{[]hash{hashOf(h.pages[pageList][0])}, []hash{hashOf(cut)}}
	h.pages[pageHash][0], h.pages[pageIndex][0], h.offer.Root = cut, x.bytes(), hashOf(x.bytes())
	return h
}

// lying refuses with words that would forge lines of a terminal.
func lying(h *hostile) *hostile {
	h.answer = func(st transport.Stream, r request) bool {
		if r.Type == requestOpen {
			writeRefusal(st, &refusal{whyGone, "a\x1b[2J\n"})
		}
		return r.Type == requestOpen
	}
	return h
}

// A sender that stands still holds up nothing for ever.
func TestASenderThatStandsStill(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		h := offering("a", false, list{[]entry{{Path: fileName, Size: 1}}}, []byte("x"))
		var still atomic.Bool
		still.Store(true)
		h.answer = func(_ transport.Stream, r request) bool { return r.Type == requestChunks && still.Load() }
		id := w.takes(h)
		wait(idleTimeout)
		if got := w.bob.wants(id, Active); got.Waiting == "" {
			t.Error("it does not say why it waits")
		}
		still.Store(false)
		wait(time.Minute)
		w.bob.wants(id, Done)
	})
}

// Links in place of the hidden folder, of a folder in it or of a file lead nowhere.
func TestLinksLeadNowhere(t *testing.T) {
	for name, plant := range map[string]func(folder, part, elsewhere string) error{
		"for the hidden folder": func(_, part, elsewhere string) error { return os.Symlink(elsewhere, part) },
		"for a folder": func(_, part, elsewhere string) error {
			return errors.Join(os.Mkdir(part, 0o700), os.Symlink(elsewhere, filepath.Join(part, "d")))
		},
		"for a file": func(_, part, elsewhere string) error {
			return errors.Join(os.MkdirAll(filepath.Join(part, "d"), 0o700), os.Symlink(filepath.Join(elsewhere, "f"), filepath.Join(part, "d", "f")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				elsewhere := t.TempDir()
				dir := filepath.Join(t.TempDir(), "tree")
				writeFile(t, filepath.Join(dir, "d", "f"), content(100))
				writeFile(t, filepath.Join(elsewhere, "f"), []byte("mine"))
				id := w.ana.sends(dir)
				if err := plant(w.bob.folder, filepath.Join(w.bob.folder, partName(id)), elsewhere); err != nil {
					t.Fatal(err)
				}
				w.bob.accepts(id)
				wait(time.Minute)
				if got := w.bob.wants(id, Failed); !strings.Contains(got.Note, "folder can't be used") {
					t.Errorf("%q", got.Note)
				}
				if data, err := os.ReadFile(filepath.Join(elsewhere, "f")); err != nil || string(data) != "mine" {
					t.Errorf("%q, %v", data, err)
				}
				w.bob.empty()
			})
		})
	}
}

// What a receiver may ask for that was not offered to it, or that there is not.
func TestHostileReceivers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ana.sends(w.write("a.bin", content(3*ChunkSize)))
		root := w.ana.record(id).Offer.Root
		other, err := NewID()
		if err != nil {
			t.Fatal(err)
		}
		open := request{Type: requestOpen, ID: &id, Root: &root}
		for name, c := range map[string]struct {
			ask  []request
			want string // of the last answer: what it refuses with, "reset" or "ok"
		}{
			"an unknown transfer":  {[]request{{Type: requestOpen, ID: &other, Root: &root}}, "the sender does not know this transfer any more"},
			"another root":         {[]request{{Type: requestOpen, ID: &id, Root: &hash{}}}, "the sender does not know this transfer any more"},
			"chunks of nothing":    {[]request{{Type: requestChunks, Count: 1}}, "reset"},
			"pages of nothing":     {[]request{{Type: requestPages, Count: 1}}, "reset"},
			"a page too many":      {[]request{open, {Type: requestPages, Kind: pageHash, From: 1, Count: 1}}, "reset"},
			"a chunk too many":     {[]request{open, {Type: requestChunks, From: 3, Count: 1}}, "reset"},
			"times of files":       {[]request{open, {Type: requestPages, Kind: pageTimes, Count: 1}}, "reset"},
			"telling of no such":   {[]request{{Type: requestTell, ID: &other, State: Done}}, "ok"},
			"an unknown state":     {[]request{{Type: requestTell, ID: &id, State: 99}}, "reset"},
			"an unknown request":   {[]request{{Type: 99}}, "reset"},
			"opening it as it was": {[]request{open}, "ok"},
		} {
			st, err := w.bob.net.Open(t.Context(), w.ana.self, Protocol)
			if err != nil {
				t.Fatal(err)
			}
			in, got := bufio.NewReader(st), "ok"
			for _, r := range c.ask {
				if err := transport.WriteFrame(st, r, maxRequest); err != nil {
					t.Fatal(err)
				}
				_, err := readHeader(in, blockOK, 0, 0)
				if said, ok := errors.AsType[*refusal](err); ok {
					got = said.Error()
				} else if err != nil {
					got = "reset"
				}
			}
			if got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
			st.Reset()
		}
		w.ana.wants(id, Offered)
		wait(time.Second)

		// More streams than one needs are turned away, and the rest goes on.
		var held []transport.Stream
		for range maxServing {
			st, err := w.bob.net.Open(t.Context(), w.ana.self, Protocol)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, st)
		}
		wait(time.Second)
		st, err := w.bob.net.Open(t.Context(), w.ana.self, Protocol)
		if err == nil {
			if _, err = io.ReadAll(st); err == nil {
				t.Error("one stream too many is served")
			}
		}
		for _, st := range held {
			st.Reset()
		}
		w.bob.accepts(id)
		wait(time.Minute)
		w.bob.wants(id, Done)
	})
}
