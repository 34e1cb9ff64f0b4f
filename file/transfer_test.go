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
		w.bob.mu.Lock()
		w.bob.policy = contact.Policy{Files: contact.FilesPaired, MaxFile: 1}
		w.bob.mu.Unlock()
		small, large := w.ana.sends(w.write("small", content(1_000_000))), w.ana.sends(w.write("large", content(1_000_001)))
		wait(time.Minute)
		w.bob.wants(small, Done)
		w.ana.wants(small, Done)
		w.bob.wants(large, Offered)
		w.bob.holds(map[string][]byte{"small": content(1_000_000)})
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
