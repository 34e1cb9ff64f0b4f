package file

import (
	"os"
	"path/filepath"
	"testing"
	"time"
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
