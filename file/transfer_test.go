package file

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"contactsd/contact"
)

func TestAFileArrivesWhole(t *testing.T) {
	for name, size := range map[string]int{
		"nothing": 0, "a byte": 1, "a chunk": ChunkSize, "a chunk and a byte": ChunkSize + 1, "some": 5*ChunkSize + 77,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				data := content(size)
				id := w.ana.sends(w.write("report.pdf", data))
				w.ana.wants(id, Offered)
				got := w.bob.wants(id, Offered)
				if got.Name != "report.pdf" || got.Size != uint64(size) || got.Files != 1 || got.Type != "application/pdf" {
					t.Errorf("%+v", got)
				}
				w.bob.empty()
				w.bob.accepts(id)
				wait(time.Minute)
				got = w.bob.wants(id, Done)
				if got.Path != filepath.Join(w.bob.folder, "report.pdf") || got.Done != uint64(size) {
					t.Errorf("%+v", got)
				}
				w.ana.wants(id, Done)
				w.bob.holds(map[string][]byte{"report.pdf": data})
			})
		})
	}
}

func TestAFolderArrivesWithItsFiles(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "photos")
		want := make(map[string][]byte)
		for n := range 500 {
			data := content(n * n % 7001)
			writeFile(t, filepath.Join(dir, names(n)), data)
			want["photos/"+names(n)] = data
		}
		large := content(2*ChunkSize + 9)
		writeFile(t, filepath.Join(dir, "d3", "large"), large)
		want["photos/d3/large"] = large
		if err := os.MkdirAll(filepath.Join(dir, "empty", "inner"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		id := w.ana.sends(dir)
		if got := w.ana.wants(id, Offered); got.Note == "" || got.Files != 502 {
			t.Errorf("%+v", got)
		}
		w.bob.accepts(id)
		wait(time.Minute)
		w.bob.wants(id, Done)
		w.bob.holds(want)
		if _, err := os.Stat(filepath.Join(w.bob.folder, "photos", "empty", "inner")); err != nil {
			t.Error(err)
		}
	})
}

func TestNothingIsReplaced(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		mine := []byte("mine")
		writeFile(t, filepath.Join(w.bob.folder, "a.txt"), mine)
		path := w.write("a.txt", content(10))
		for range 2 {
			id := w.ana.sends(path)
			w.bob.accepts(id)
			wait(time.Minute)
			w.bob.wants(id, Done)
		}
		w.bob.holds(map[string][]byte{"a.txt": mine, "a (2).txt": content(10), "a (3).txt": content(10)})
	})
}

func TestRejectedByTheReceiver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ana.sends(w.write("a.txt", content(10)))
		for range 2 {
			if _, err := w.bob.svc.Reject(id); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Minute)
		w.bob.wants(id, Rejected)
		w.ana.wants(id, Rejected)
		w.bob.empty()
	})
}

func TestReceivedByRule(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.bob.decides(func(p *contact.Policy) { p.Files, p.MaxFile = contact.FilesPaired, 1 })
		small, large := w.ana.sends(w.write("small", content(1_000_000))), w.ana.sends(w.write("large", content(1_000_001)))
		wait(time.Minute)
		w.bob.wants(small, Done)
		w.ana.wants(small, Done)
		w.bob.wants(large, Offered)
		w.bob.holds(map[string][]byte{"small": content(1_000_000)})
	})
}

// A rule by type goes by the ending of the name, whatever the sender says of it.
func TestReceivedByType(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		into := filepath.Join(t.TempDir(), "pictures")
		w.bob.decides(func(p *contact.Policy) {
			p.Files, p.FileTypes, p.FilesFolder = contact.FilesPaired, "image/*", into
		})
		picture, program := w.ana.sends(w.write("a.png", content(10))), w.ana.sends(w.write("a.pdf", content(10)))
		folder := w.ana.sends(filepath.Dir(w.write("folder.png/a.png", content(10))))
		lie := offering("b.pdf", false, list{[]entry{{Path: fileName, Size: 1}}}, []byte("x")).offer
		lie.Type = "image/png"
		body, err := lie.encode()
		if err != nil {
			t.Fatal(err)
		}
		lied, err := NewID()
		if err == nil {
			err = w.ana.deliver(w.bob.self, lied, body)
		}
		if err != nil {
			t.Fatal(err)
		}
		wait(time.Minute)
		if got := w.bob.wants(picture, Done); got.Path != filepath.Join(into, "a.png") {
			t.Errorf("it is at %s", got.Path)
		}
		for _, id := range []ID{program, folder, lied} {
			w.bob.wants(id, Offered)
		}
		w.bob.accepts(program)
		wait(time.Minute)
		if got := w.bob.wants(program, Done); got.Path != filepath.Join(into, "a.pdf") {
			t.Errorf("it is at %s", got.Path)
		}
	})
}

// Progress is told at most ten times a second, however fast it goes.
func TestProgressIsToldNowAndThen(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var told []Progress
		var mu sync.Mutex
		defer w.bob.svc.Watch(func(p Progress) {
			mu.Lock()
			told = append(told, p)
			mu.Unlock()
		})()
		id := w.ana.sends(w.write("a.bin", content(1)))
		for n := range uint64(1000) {
			w.bob.svc.moves(id, n*1000, 1_000_000)
			time.Sleep(time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 10 {
			t.Errorf("told %d times in a second", len(told))
		}
		if last := told[len(told)-1]; last.Done != 900_000 || last.Size != 1_000_000 || last.Rate < 990_000 || last.Rate > 1_010_000 {
			t.Errorf("%+v", last)
		}
	})
}
