package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/node"
	"contactsd/store"
	"contactsd/transport/memnet"
)

// host is a device with its disk, over all its lives. The driver of the run uses
// it, and while the device is down one goroutine that brings it back.
type host struct {
	w    *world
	i    int
	name string
	id   *identity.Identity
	dir  string

	mu     sync.Mutex
	alive  *life  // nil while it is down
	disk   string // the store that the next life opens
	files  int    // stores made so far, for their names
	full   bool
	ahead  time.Duration // its clock, of the others'
	copies []snapshot

	// Of the driver:
	restored bool      // at least once
	cursor   uint64    // of its journal, up to which it was read
	followed time.Time // when
}

// snapshot is an old copy of a store, and what its user held then.
type snapshot struct {
	file    string
	beliefs []int // mark of the belief about each device
	posts   []int // how many letters to each device were accepted
}

// life is a device from its start to its end.
type life struct {
	*node.Node
	h    *host
	link *memnet.Device
	db   *store.DB
	file string
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	dead  bool          // nothing it does is seen by anybody
	fuse  *fuse         // when it will crash, nil if it is not meant to
	image string        // what its disk holds, once the fuse burns
	blown chan struct{} // closed by the fuse
	copy  *snapshot     // to be made at the next sync
}

// fuse crashes a device at a moment that nobody chose: after some commits and,
// from then on, after some frames.
type fuse struct{ commits, frames int }

func newHost(w *world, i int) (*host, error) {
	name := names[i%len(names)]
	seed := [32]byte([]byte(name + "................................")[:32])
	id, err := identity.FromSeed(seed)
	if err != nil {
		return nil, err
	}
	h := &host{w: w, i: i, name: name, id: id, dir: filepath.Join(w.dir, name)}
	h.disk = h.newFile()
	return h, os.Mkdir(h.dir, 0o700)
}

var names = []string{"ana", "bob", "cal", "dan", "eve", "fay", "gus", "hal", "ida", "jim", "kay", "leo", "mia", "ned", "ola", "pam"}

func (h *host) self() contact.ODID { return h.id.Self() }

// newFile names a store that is not there yet.
func (h *host) newFile() string {
	h.files++
	return filepath.Join(h.dir, fmt.Sprintf("store-%d", h.files))
}

// clock tells the time as the device sees it.
func (h *host) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

// up returns the present life, nil if the device is down.
func (h *host) up() *life {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.alive
}

// start begins a life with what is on the disk.
func (h *host) start() error {
	h.mu.Lock()
	l := &life{h: h, file: h.disk, blown: make(chan struct{})}
	h.mu.Unlock()
	db, err := store.Open(l.file, store.Options{
		NoSync: true,
		Clock:  h.clock,
		Probe:  store.Probe{Commit: l.commit, Synced: l.synced},
	}, node.Tables()...)
	if err != nil {
		return fmt.Errorf("%s does not start: %w", h.name, err)
	}
	l.db = db
	l.link = h.w.net.Device(h.self())
	log := slog.New(slog.DiscardHandler)
	if h.w.verbose {
		log = slog.New(logTo{h.w.line, h.name})
	}
	l.Node, err = node.New(node.Config{DB: db, Identity: h.id, Transport: l.link, Neighbourhood: l.link, Work: quick{}, Log: log})
	if err != nil {
		return errors.Join(fmt.Errorf("%s does not start: %w", h.name, err), db.Close())
	}
	l.link.SetMayDial(l.Relation.MayDial)
	l.link.SetWhere(l.Relation.Where)
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.done.Go(func() {
		if err := l.Run(ctx); err != nil && !l.isDead() {
			h.w.violate("run", "%s: %v", h.name, err)
		}
	})
	h.mu.Lock()
	h.alive = l
	h.mu.Unlock()
	h.w.setLife(h.self(), l)
	return nil
}

// halt ends the present life: cleanly, or by a crash, after which the disk holds
// what it held at the last sync that is known of. It reports whether there was one.
func (h *host) halt(crash bool) bool {
	h.mu.Lock()
	l := h.alive
	h.alive = nil
	h.mu.Unlock()
	if l == nil {
		return false
	}
	if crash {
		l.kill()
		h.w.net.Crash(h.self())
	}
	l.stop()
	l.done.Wait()
	h.w.setLife(h.self(), nil)
	if err := l.db.Close(); err != nil {
		h.w.violate("run", "%s does not close: %v", h.name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.image != "" {
		h.mu.Lock()
		h.disk = l.image
		h.mu.Unlock()
		_ = os.Remove(l.file)
	}
	return true
}

// kill makes the life one that nobody sees any more.
func (l *life) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.die()
}

func (l *life) die() {
	if !l.dead {
		l.dead = true
		close(l.blown)
	}
}

func (l *life) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// light sets a fuse. It returns false if one burns. For one without commits nothing
// may be written just now.
func (l *life) light(f fuse) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || l.fuse != nil {
		return false
	}
	l.fuse = &f
	if f.commits == 0 {
		l.draw()
	}
	return true
}

// draw notes what the disk holds, for the crash to leave it.
func (l *life) draw() {
	if l.image == "" {
		l.image = l.file + "-crashed"
	}
	if err := copyFile(l.file, l.image); err != nil {
		l.h.w.violate("run", "%s: %v", l.h.name, err)
	}
}

var errDead = errors.New("the power is gone")

// commit is asked before the disk is written.
func (l *life) commit() error {
	if l.isDead() {
		return errDead
	}
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	if l.h.full {
		return syscall.ENOSPC
	}
	return nil
}

// synced is told when the disk has it all. With a fuse that burns, this is what
// the crash will leave.
func (l *life) synced() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	if l.copy != nil {
		l.h.keep(*l.copy, l.file)
		l.copy = nil
	}
	if l.fuse == nil {
		return
	}
	if l.fuse.commits--; l.fuse.commits > 0 {
		return
	}
	if l.draw(); l.fuse.frames == 0 {
		l.die()
	}
}

// sends is told of each frame before it leaves, and returns false if it does not.
func (l *life) sends() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead && l.fuse != nil && l.fuse.commits <= 0 {
		if l.fuse.frames--; l.fuse.frames < 0 {
			l.die()
		}
	}
	return !l.dead
}

// keep takes a copy of the store for later.
func (h *host) keep(c snapshot, file string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.file = h.newFile() + "-copy"
	if err := copyFile(file, c.file); err != nil {
		h.w.violate("run", "%s: %v", h.name, err)
		return
	}
	h.copies = append(h.copies, c)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// logTo writes what devices log into a timeline.
type logTo struct {
	line *timeline
	name string
}

func (l logTo) Enabled(context.Context, slog.Level) bool { return true }
func (l logTo) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logTo) WithGroup(string) slog.Handler            { return l }

func (l logTo) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	l.line.note("      %s logs: %s", l.name, text)
	return nil
}
