package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"contactsd/transport"
)

// breaking is a stream that ends after so many bytes were read from it.
type breaking struct {
	transport.Stream
	left *atomic.Int64
	read *atomic.Int64 // bytes that came over all streams
}

func (b breaking) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		b.Reset()
		return 0, errors.New("broken")
	}
	n, err := b.Stream.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	b.read.Add(int64(n))
	return n, err
}

// breaks ends the streams that a device opens once so many bytes came over them,
// until it is mended.
func (d *device) breaks(after int64) (read *atomic.Int64, mend func()) {
	left := new(atomic.Int64)
	read = new(atomic.Int64)
	left.Store(after)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrap = func(st transport.Stream) transport.Stream { return breaking{st, left, read} }
	return read, func() { left.Store(1 << 60) }
}

// Wherever it breaks, and whoever is killed then, it goes on where it was: of what
// had come whole nothing is sent again.
func TestItGoesOnWhereItBroke(t *testing.T) {
	const size = 8*ChunkSize + 77
	for _, c := range []struct {
		name   string
		after  int64
		killed func(w *world) []*device
	}{
		{"in the manifest", 100, nil},
		{"in the first chunk", ChunkSize / 2, nil},
		{"in the fifth chunk", 4*ChunkSize + 999, nil},
		{"in the last chunk", 8*ChunkSize + 500, nil},
		{"the receiver is killed", 4*ChunkSize + 999, func(w *world) []*device { return []*device{w.bob} }},
		{"the sender is killed", 4*ChunkSize + 999, func(w *world) []*device { return []*device{w.ana} }},
		{"both are killed", 4*ChunkSize + 999, func(w *world) []*device { return []*device{w.ana, w.bob} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				data := content(size)
				id := w.ana.sends(w.write("a.bin", data))
				read, mend := w.bob.breaks(c.after)
				w.bob.accepts(id)
				wait(time.Second)
				w.bob.wants(id, Active)
				if c.killed != nil {
					for _, d := range c.killed(w) {
						d.restarts()
					}
				}
				mend()
				wait(time.Hour)
				w.bob.wants(id, Done)
				w.ana.wants(id, Done)
				w.bob.holds(map[string][]byte{"a.bin": data})
				if more := read.Load() - size; more > ChunkSize+4096 {
					t.Errorf("%d bytes came more than once", more)
				}
			})
		})
	}
}

func TestAFolderGoesOnWhereItBroke(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "tree")
		want := make(map[string][]byte)
		for n := range 900 {
			data := content(n * 13 % 9001)
			writeFile(t, filepath.Join(dir, names(n)), data)
			want["tree/"+names(n)] = data
		}
		id := w.ana.sends(dir)
		_, mend := w.bob.breaks(2*ChunkSize + 300_000)
		w.bob.accepts(id)
		wait(time.Second)
		w.bob.restarts()
		mend()
		wait(time.Hour)
		w.bob.wants(id, Done)
		w.bob.holds(want)
	})
}

func TestPausedFromEitherSide(t *testing.T) {
	for name, who := range map[string]func(w *world) *device{
		"by the receiver": func(w *world) *device { return w.bob },
		"by the sender":   func(w *world) *device { return w.ana },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				data := content(3 * ChunkSize)
				id := w.ana.sends(w.write("a.bin", data))
				_, mend := w.bob.breaks(ChunkSize + 500)
				w.bob.accepts(id)
				wait(time.Second)
				d := who(w)
				for range 2 {
					if _, err := d.svc.Pause(id); err != nil {
						t.Fatal(err)
					}
				}
				mend()
				d.restarts()
				wait(time.Hour)
				d.wants(id, Paused)
				d.peer().wants(id, Active)
				w.bob.lacks(t, "a.bin")
				for range 2 {
					if _, err := d.svc.Resume(id); err != nil {
						t.Fatal(err)
					}
				}
				wait(time.Minute)
				w.bob.wants(id, Done)
				w.ana.wants(id, Done)
				w.bob.holds(map[string][]byte{"a.bin": data})
			})
		})
	}
}

// lacks says that nothing of the name is there yet.
func (d *device) lacks(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(d.folder, name)); err == nil {
		t.Errorf("%s is there", name)
	}
}

func TestCancelledFromEitherSide(t *testing.T) {
	for name, who := range map[string]func(w *world) *device{
		"by the receiver": func(w *world) *device { return w.bob },
		"by the sender":   func(w *world) *device { return w.ana },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := w.ana.sends(w.write("a.bin", content(3*ChunkSize)))
				_, mend := w.bob.breaks(ChunkSize + 500)
				w.bob.accepts(id)
				wait(time.Second)
				d := who(w)
				for range 2 {
					if _, err := d.svc.Cancel(id); err != nil {
						t.Fatal(err)
					}
				}
				mend()
				wait(time.Hour)
				w.bob.wants(id, Cancelled)
				w.ana.wants(id, Cancelled)
				w.bob.empty()
			})
		})
	}
}

// What was changed after it was offered is not sent, whether its size shows that or not.
func TestTheSourceChanges(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"gone":    os.Remove,
		"shorter": func(path string) error { return os.Truncate(path, ChunkSize) },
		"longer":  func(path string) error { return os.Truncate(path, 9*ChunkSize) },
		"other bytes": func(path string) error {
			return errors.Join(os.WriteFile(path, make([]byte, 3*ChunkSize), 0o600), os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)))
		},
		"a folder":         func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"a link elsewhere": func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/etc/hosts", path)) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				path := w.write("a.bin", content(3*ChunkSize))
				id := w.ana.sends(path)
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				w.bob.accepts(id)
				wait(time.Minute)
				if got := w.bob.wants(id, Failed); !strings.Contains(got.Note, "can't be sent") || strings.Contains(got.Note, filepath.Dir(path)) {
					t.Errorf("%q", got.Note)
				}
				w.ana.wants(id, Failed)
				w.bob.empty()
			})
		})
	}
}

// A file whose bytes change and whose size and time do not is found out by the receiver.
func TestTheSourceChangesInSecret(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		path := w.write("a.bin", content(3*ChunkSize))
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		id := w.ana.sends(path)
		if err := errors.Join(os.WriteFile(path, make([]byte, 3*ChunkSize), 0o600), os.Chtimes(path, before.ModTime(), before.ModTime())); err != nil {
			t.Fatal(err)
		}
		w.bob.accepts(id)
		wait(time.Minute)
		if got := w.bob.wants(id, Failed); !strings.Contains(got.Note, "chunk 0") {
			t.Errorf("%q", got.Note)
		}
		w.ana.wants(id, Failed)
		w.bob.empty()
		// The sender mends it, and the receiver tries again.
		if err := errors.Join(os.WriteFile(path, content(3*ChunkSize), 0o600), os.Chtimes(path, before.ModTime(), before.ModTime())); err != nil {
			t.Fatal(err)
		}
		w.bob.accepts(id)
		wait(time.Minute)
		w.bob.wants(id, Done)
		w.ana.wants(id, Done)
		w.bob.holds(map[string][]byte{"a.bin": content(3 * ChunkSize)})
	})
}

// A store that was restored from before the offer gets the offer again, and the
// file again, under another name.
func TestTheReceiverIsRestored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		data := content(2 * ChunkSize)
		id := w.ana.sends(w.write("a.bin", data))
		w.bob.accepts(id)
		wait(time.Minute)
		w.bob.stop()
		if err := os.Remove(w.bob.store); err != nil {
			t.Fatal(err)
		}
		w.bob.start()
		body, err := w.ana.record(id).Offer.encode()
		if err == nil {
			err = w.ana.deliver(w.bob.self, id, body)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.bob.accepts(id)
		wait(time.Minute)
		w.bob.wants(id, Done)
		w.bob.holds(map[string][]byte{"a.bin": data, "a (2).bin": data})
	})
}

// A sender that has lost its store says so.
func TestTheSenderForgot(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ana.sends(w.write("a.bin", content(10)))
		w.ana.stop()
		if err := os.Remove(w.ana.store); err != nil {
			t.Fatal(err)
		}
		w.ana.start()
		w.bob.accepts(id)
		wait(time.Minute)
		if got := w.bob.wants(id, Failed); !strings.Contains(got.Note, "does not know this transfer") {
			t.Errorf("%q", got.Note)
		}
		w.bob.empty()
	})
}

// Killed between the rename and the note of it, the receiver finds out that the
// file has its name already.
func TestKilledAsItGotItsName(t *testing.T) {
	for name, dir := range map[string]bool{"a file": false, "a folder": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				path := w.write("a/b.txt", content(10))
				if dir {
					path = filepath.Dir(path)
				}
				id := w.ana.sends(path)
				w.ana.stop() // so that nothing is pulled
				w.bob.accepts(id)
				wait(time.Second)
				final := filepath.Base(path)
				k, _, err := openSink(w.bob.folder, id, !dir)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string][]byte{"b.txt": content(10)}
				if dir {
					want = map[string][]byte{"a/b.txt": content(10)}
				}
				writeFile(t, filepath.Join(w.bob.folder, partName(id), map[bool]string{false: fileName, true: "b.txt"}[dir]), content(10))
				if err := errors.Join(w.bob.svc.nameFinal(id, final), k.place(final)); err != nil {
					t.Fatal(err)
				}
				k.close()
				w.bob.restarts()
				wait(time.Minute)
				w.bob.wants(id, Done)
				w.bob.holds(want)
				w.ana.start()
				wait(time.Hour)
				w.ana.wants(id, Done)
			})
		})
	}
}

func TestWhoIsNoContactPullsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ana.sends(w.write("a.bin", content(10)))
		w.bob.mu.Lock()
		w.bob.unlisted = true
		w.bob.mu.Unlock()
		w.bob.accepts(id)
		wait(time.Hour)
		if got := w.bob.wants(id, Active); got.Waiting != errUnlisted.Error() {
			t.Errorf("%q", got.Waiting)
		}
		w.bob.mu.Lock()
		w.bob.unlisted = false
		w.bob.mu.Unlock()
		w.bob.svc.RelationChanged(w.ana.self)
		wait(time.Minute)
		w.bob.wants(id, Done)
	})
}

func TestTheSenderIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		id := w.ana.sends(w.write("a.bin", content(10)))
		w.ana.stop()
		w.bob.accepts(id)
		wait(time.Hour)
		if got := w.bob.wants(id, Active); got.Waiting == "" {
			t.Error("it does not say why it waits")
		}
		w.ana.start()
		wait(time.Hour)
		w.bob.wants(id, Done)
		w.ana.wants(id, Done)
	})
}
