package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"go.etcd.io/bbolt"
)

// A disk that may lose power: each write to the files of a store is noted, and each
// sync. What was written since the last sync is on the disk or not, each sector of
// each write for itself and in any order. From that follow all the states in which a
// store may be found; a sample of them is opened, and must hold what was acknowledged.

const (
	sector  = 512
	ofStore = 0
	ofWAL   = 1
)

// step is a write or a sync of one of the files, and what a store must hold that is
// found right after it.
type step struct {
	file  int
	at    int64
	data  []byte // nil: a sync
	size  int64  // of the file
	holds [2]int // of the states: what was acknowledged, or what was under way
}

// disk notes what is written to a store.
type disk struct {
	t      testing.TB
	chance *rand.Rand
	first  [2][]byte // the files before
	steps  []step
	holds  [2]int
	synced bool // a sync of the store is to be noted before anything else
	fails  int  // writes to the store until one fails, 0: none does

	base [2][]byte // the files with all that was synced before a step
	sure [2]int    // that step
}

func (d *disk) note(s step) {
	if d.synced {
		d.synced = false
		d.note(step{file: ofStore, size: s.size})
	}
	s.holds = d.holds
	d.steps = append(d.steps, s)
}

// tuning has a store note here what it writes.
func (d *disk) tuning(path string) tuning {
	return tuning{
		mapped: minMapped, records: 7, withoutWAL: 2,
		wal: func(w *wal) {
			first, err := os.ReadFile(path + walSuffix)
			if err != nil {
				d.t.Error(err)
			}
			d.first[ofWAL] = first
			w.file = noted{w.file, d}
		},
		bolt: d.watch,
	}
}

// watch has bbolt write through the disk. It syncs before each meta page and after
// it, unless it was told not to.
func (d *disk) watch(db *bbolt.DB) {
	ops := reflect.ValueOf(db).Elem().FieldByName("ops").FieldByName("writeAt")
	writeAt := (*func([]byte, int64) (int, error))(unsafe.Pointer(ops.UnsafeAddr()))
	inner := *writeAt
	*writeAt = func(b []byte, at int64) (int, error) {
		if d.fails > 0 {
			if d.fails--; d.fails == 0 {
				return 0, &fs.PathError{Op: "write", Path: "store", Err: syscall.ENOSPC}
			}
		}
		n, err := inner(b, at)
		info, statErr := os.Stat(db.Path())
		if err = errors.Join(err, statErr); err != nil {
			return n, err
		}
		s := step{file: ofStore, at: at, data: bytes.Clone(b), size: info.Size()}
		if at < 2*testPage && !db.NoSync {
			d.synced = true
			d.note(s)
			d.synced = true
		} else {
			d.note(s)
		}
		return n, nil
	}
}

// noted is the log on the disk. It need not really be synced.
type noted struct {
	medium
	d *disk
}

func (n noted) WriteAt(b []byte, at int64) (int, error) {
	n.d.note(step{file: ofWAL, at: at, data: bytes.Clone(b)})
	return n.medium.WriteAt(b, at)
}

func (n noted) Sync() error {
	n.d.note(step{file: ofWAL})
	return nil
}

// loss is what of the writes since the last sync a disk keeps.
type loss func(s step, sector int64) bool

func (d *disk) losses() map[string]loss {
	each := make(map[int64]bool)
	isMeta := func(s step, at int64) bool { return s.file == ofStore && at < 2*testPage }
	return map[string]loss{
		"nothing":            func(step, int64) bool { return false },
		"everything":         func(step, int64) bool { return true },
		"sectors":            func(step, int64) bool { return d.chance.IntN(2) == 0 },
		"most sectors":       func(step, int64) bool { return d.chance.IntN(20) > 0 },
		"few sectors":        func(step, int64) bool { return d.chance.IntN(20) == 0 },
		"meta pages":         isMeta,
		"all but meta pages": func(s step, at int64) bool { return !isMeta(s, at) },
		"meta pages and some": func(s step, at int64) bool {
			return isMeta(s, at) || d.chance.IntN(3) == 0
		},
		"the store": func(s step, _ int64) bool { return s.file == ofStore },
		"the log":   func(s step, _ int64) bool { return s.file == ofWAL },
		"whole pages": func(s step, at int64) bool {
			page := at/testPage*4 + int64(s.file)
			if _, ok := each[page]; !ok {
				each[page] = d.chance.IntN(2) == 0
			}
			return each[page]
		},
	}
}

// after returns the files as a power cut after n steps may leave them.
func (d *disk) after(n int, keep loss) (files [2][]byte) {
	for f := range files {
		last := 0
		for i, s := range d.steps[:n] {
			if s.file == f && s.data == nil {
				last = i
			}
		}
		if d.sure[f] > last {
			d.sure[f], d.base[f] = 0, nil
		}
		if d.base[f] == nil {
			d.base[f] = bytes.Clone(d.first[f])
		}
		for ; d.sure[f] < last; d.sure[f]++ {
			if s := d.steps[d.sure[f]]; s.file == f && s.data != nil {
				d.base[f] = enlarged(d.base[f], s)
				copy(d.base[f][s.at:], s.data)
			}
		}
		files[f] = bytes.Clone(d.base[f])
		for _, s := range d.steps[last:n] {
			if s.file != f || s.data == nil {
				continue
			}
			files[f] = enlarged(files[f], s)
			for at := int64(0); at < int64(len(s.data)); at += sector {
				if keep(s, s.at+at) {
					end := min(at+sector, int64(len(s.data)))
					copy(files[f][s.at+at:], s.data[at:end])
				}
			}
		}
	}
	return files
}

func enlarged(file []byte, s step) []byte {
	need := max(s.size, s.at+int64(len(s.data)))
	return append(file, make([]byte, max(0, need-int64(len(file))))...)
}

// held is the state of a store.
type held struct {
	rows   map[string]string
	cursor uint64
}

func (h held) clone() held { return held{maps.Clone(h.rows), h.cursor} }

func (h held) equal(other held) bool {
	return maps.Equal(h.rows, other.rows) && h.cursor == other.cursor
}

func holding(t testing.TB, db *DB) held {
	t.Helper()
	cursor, err := db.Cursor()
	if err != nil {
		t.Fatal(err)
	}
	return held{texts(t, db), cursor}
}

// powerTest is one store, over some power cuts.
type powerTest struct {
	*disk
	dir    string
	path   string
	states []held
	opened int // states that were looked at
}

// write does something, as often as not in a way that has to be a checkpoint.
func (p *powerTest) write(db *DB) {
	p.t.Helper()
	next := p.states[p.holds[0]].clone()
	var deeds []func(*Tx) error
	for range 1 + p.chance.IntN(4) {
		key := fmt.Sprint(p.chance.IntN(60))
		switch p.chance.IntN(5) {
		case 0:
			delete(next.rows, key)
			deeds = append(deeds, func(tx *Tx) error { return notes.Delete(tx, []byte(key)) })
		case 1:
			next.cursor++
			deeds = append(deeds, func(tx *Tx) error { return tx.Emit(event(1)) })
		default:
			size := p.chance.IntN(700)
			if p.chance.IntN(40) == 0 {
				size = p.chance.IntN(maxRecord + maxRecord/4)
			}
			text := strings.Repeat(string(rune('a'+p.chance.IntN(26))), size)
			next.rows[key] = text
			deeds = append(deeds, func(tx *Tx) error { return notes.Put(tx, []byte(key), note{Text: text}) })
		}
	}
	p.states = append(p.states, next)
	p.holds[1] = len(p.states) - 1
	p.fails = 0
	if p.chance.IntN(12) == 0 {
		p.fails = 1 + p.chance.IntN(5)
	}
	err := db.Update(func(tx *Tx) error {
		for _, deed := range deeds {
			if err := deed(tx); err != nil {
				return err
			}
		}
		return nil
	})
	failed := p.fails == 0 && errors.Is(err, ErrFull)
	p.fails = 0
	switch {
	case err == nil:
		p.holds[0] = p.holds[1]
	case failed:
		p.holds[1] = p.holds[0]
	default:
		p.t.Fatal(err)
	}
}

// live writes to the store that lies at path until it is closed, or left as it is.
func (p *powerTest) live() {
	p.t.Helper()
	p.steps, p.first = nil, [2][]byte{}
	p.base, p.sure = [2][]byte{}, [2]int{}
	first, err := os.ReadFile(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	p.first[ofStore] = first
	if first, err := os.ReadFile(p.path + walSuffix); err == nil {
		p.first[ofWAL] = first
		p.recovering()
	}
	db, err := Open(p.path, Options{JournalLimit: 20, tuning: p.tuning(p.path)}, notes)
	if err != nil {
		p.t.Fatal(err)
	}
	for range 10 + p.chance.IntN(40) {
		p.write(db)
		if got := holding(p.t, db); !got.equal(p.states[p.holds[0]]) {
			p.t.Fatalf("while it runs: %v, want %v", got, p.states[p.holds[0]])
		}
		if p.chance.IntN(15) == 0 {
			if err := db.settle(); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.note(step{file: ofWAL})
}

// recovering notes what opening a store that was not closed writes before bbolt does.
func (p *powerTest) recovering() {
	file, err := os.Open(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer file.Close()
	todo, err := examine(file, p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	if todo != nil {
		if err := todo.meta.place(placed{p.disk}, todo.txid); err != nil {
			p.t.Fatal(err)
		}
	}
	p.note(step{file: ofStore})
}

type placed struct{ d *disk }

func (p placed) WriteAt(b []byte, at int64) (int, error) {
	p.d.note(step{file: ofStore, at: at, data: bytes.Clone(b)})
	return len(b), nil
}

// find opens the store as a power cut after n steps left it, and returns which of
// the states it holds.
func (p *powerTest) find(n int, name string, keep loss) (files [2][]byte, state int) {
	p.t.Helper()
	p.opened++
	files = p.after(n, keep)
	if strings.HasSuffix(name, "removed") {
		files[ofWAL] = nil
	}
	path := filepath.Join(p.dir, "found")
	for i, name := range Files(path) {
		if err := os.WriteFile(name, files[i], 0o600); err != nil {
			p.t.Fatal(err)
		}
		if files[i] == nil {
			os.Remove(name)
		}
	}
	holds := p.holds
	if n < len(p.steps) {
		holds = p.steps[max(n, 1)-1].holds
	}
	where := fmt.Sprintf("power cut after step %d of %d, which keeps %s", n, len(p.steps), name)
	r, err := Check(path, notes)
	if err != nil || len(r.Damage) > 0 {
		p.t.Fatalf("%s: %v, %v", where, r.Damage, err)
	}
	for i, name := range Files(path) {
		if now, err := os.ReadFile(name); !bytes.Equal(now, files[i]) {
			p.t.Fatalf("%s: examining changed %s, %v", where, name, err)
		}
	}
	db, err := Open(path, Options{JournalLimit: 20}, notes)
	if err != nil {
		p.t.Fatalf("%s: %v", where, err)
	}
	got := holding(p.t, db)
	if err := db.Close(); err != nil {
		p.t.Fatal(err)
	}
	for _, state := range []int{holds[0], holds[1]} {
		if got.equal(p.states[state]) {
			return files, state
		}
	}
	p.t.Fatalf("%s: the store holds neither what was acknowledged (%d rows, cursor %d) nor what was under way (%d, %d), but %d rows, cursor %d",
		where, len(p.states[holds[0]].rows), p.states[holds[0]].cursor, len(p.states[holds[1]].rows), p.states[holds[1]].cursor, len(got.rows), got.cursor)
	return files, 0
}

// quickDir is in memory where that is possible: nothing there has to survive.
func quickDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestPowerCutAtAnyStepKeepsWhatWasAcknowledged(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	if more, err := strconv.Atoi(os.Getenv("STORE_POWER_ROUNDS")); err == nil {
		rounds = more
	}
	opened := 0
	for range rounds {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { opened += cutPower(t, seed) })
	}
	t.Logf("%d states of a disk", opened)
}

func cutPower(t *testing.T, seed uint64) (opened int) {
	dir := quickDir(t)
	p := &powerTest{
		disk: &disk{t: t, chance: rand.New(rand.NewPCG(seed, 0))},
		dir:  dir, path: filepath.Join(dir, "store"), states: []held{{rows: map[string]string{}}},
	}
	if err := openTest(t, p.path, Options{}, notes).Close(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		p.live()
		for n := range p.steps {
			if p.chance.IntN(2) > 0 && n < len(p.steps)-1 {
				continue
			}
			names := p.losses()
			if n == len(p.steps)-1 {
				p.find(n+1, "all but the log, which is removed", func(s step, _ int64) bool { return s.file == ofStore })
			}
			for name, keep := range names {
				if p.chance.IntN(len(names)) < 2 {
					p.find(n+1, name, keep)
				}
			}
		}
		// It goes on from one of these.
		n := 1 + p.chance.IntN(len(p.steps))
		files, state := p.find(n, "sectors", p.losses()["sectors"])
		p.holds = [2]int{state, state}
		for i, name := range Files(p.path) {
			os.Remove(name)
			if files[i] == nil {
				continue
			}
			if err := os.WriteFile(name, files[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p.opened
}

// mappedBy returns how many bytes of its file bbolt has mapped.
func mappedBy(db *bbolt.DB) int64 { return reflect.ValueOf(db).Elem().FieldByName("datasz").Int() }
