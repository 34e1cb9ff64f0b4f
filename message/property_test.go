package message

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"contactsd/contact"
	"contactsd/store"
)

// Whatever two users do and whatever happens to their devices: in the end each
// has what the other's history says was sent, once and in order.
func TestAnyStoryEndsWithEverythingDeliveredOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(t *testing.T) {
			// The property fails by a panic, which has to leave the bubble.
			defer func() { failure = recover() }()
			s := newStory(rt, t)
			rt.Repeat(s.acts())
			s.end()
			s.fit(rt)
			s.check(s.w.alice, s.w.bob)
			s.check(s.w.bob, s.w.alice)
		})
		if failure != nil {
			panic(failure)
		}
	})
}

func (s *story) acts() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"write":   s.write,
		"write 2": s.write,
		"pass":    func(rt *rapid.T) { pass(time.Duration(rapid.IntRange(0, 600).Draw(rt, "seconds")) * time.Second) },
		"moment":  func(rt *rapid.T) { pass(time.Duration(rapid.IntRange(0, 5).Draw(rt, "ms")) * time.Millisecond) },
		"cut":     func(*rapid.T) { s.w.net.Cut(s.w.alice.self, s.w.bob.self) },
		"oneway":  s.cutOneWay,
		"heal":    func(*rapid.T) { s.w.net.Heal(s.w.alice.self, s.w.bob.self) },
		"drop":    func(*rapid.T) { s.w.net.Drop(s.w.alice.self, s.w.bob.self) },
		"crash":   s.crash,
		"blow":    s.blow,
		"backup":  s.backup,
		"restore": s.restore,
		"again":   s.restoreTwice,
		"full":    s.fill,
		"lose":    s.lose,
		"find":    s.find,
		"cancel":  s.cancel,
		"narrow":  s.narrow,
		"power":   s.powerCut,
		"jam":     s.jam,
		"":        s.fit,
		"widen":   func(*rapid.T) { s.widen() },
	}
}

type story struct {
	w        *world
	rt       *rapid.T
	count    int
	sent     map[ID]int // in the order of writing
	backups  map[*device][]string
	restored bool
	// A restore may bring a cancelled message back, after those behind it have
	// arrived and a gap in its place; nothing is promised about it then.
	cancelled map[ID]bool
}

func newStory(rt *rapid.T, t *testing.T) *story {
	s := &story{w: newWorldFor(rt, t), rt: rt, sent: make(map[ID]int), backups: make(map[*device][]string), cancelled: make(map[ID]bool)}
	for _, d := range []*device{s.w.alice, s.w.bob} {
		d.dialable = func(contact.ODID) bool { return !d.lost.Load() }
	}
	s.w.alice.start()
	s.w.bob.start()
	return s
}

func (s *story) who(rt *rapid.T) (d, other *device) {
	if rapid.Bool().Draw(rt, "alice") {
		return s.w.alice, s.w.bob
	}
	return s.w.bob, s.w.alice
}

func (s *story) write(rt *rapid.T) {
	d, _ := s.who(rt)
	s.writeFrom(rt, d)
}

func (s *story) writeFrom(rt *rapid.T, d *device) {
	other := s.w.alice
	if d == other {
		other = s.w.bob
	}
	for range rapid.IntRange(1, 8).Draw(rt, "messages") {
		s.count++
		s.sent[d.write(other, strconv.Itoa(s.count)).ID] = s.count
	}
}

func (s *story) cutOneWay(rt *rapid.T) {
	d, other := s.who(rt)
	s.w.net.CutOneWay(d.self, other.self)
}

func (s *story) crash(rt *rapid.T) {
	d, _ := s.who(rt)
	d.crash()
	d.start()
}

// blow crashes a device in the middle of what it is doing.
func (s *story) blow(rt *rapid.T) {
	d, _ := s.who(rt)
	d.tap.blowAfter(rapid.IntRange(1, 12).Draw(rt, "operations"))
	s.write(rt)
	pass(time.Second)
	d.crash()
	d.start()
}

// powerCut is a crash in the middle of what a device is doing, from which it comes
// back with what was on the disk then. What it wrote at that moment is there or
// not, but nowhere else if it is not.
func (s *story) powerCut(rt *rapid.T) {
	d, other := s.who(rt)
	copied := d.path + ".cut"
	d.tap.last = func() {
		if err := d.db.View(func(*store.Tx) error { copyFile(d.t, d.path, copied); return nil }); err != nil {
			rt.Fatal(err)
		}
	}
	d.tap.blowAfter(rapid.IntRange(1, 16).Draw(rt, "operations"))
	var last []ID
	for range rapid.IntRange(0, 4).Draw(rt, "messages") {
		s.count++
		m := d.write(other, strconv.Itoa(s.count))
		s.sent[m.ID] = s.count
		if d.tap.dead.Load() {
			last = append(last, m.ID)
		}
		pass(time.Duration(rapid.IntRange(0, 3).Draw(rt, "ms")) * time.Millisecond)
	}
	if rapid.Bool().Draw(rt, "both") {
		s.count++
		s.sent[other.write(d, strconv.Itoa(s.count)).ID] = s.count
	}
	pass(time.Duration(rapid.IntRange(0, 1000).Draw(rt, "ms")) * time.Millisecond)
	cut := d.tap.dead.Load()
	d.crash()
	if cut {
		d.restore(copied)
	}
	d.start()
	for _, id := range last {
		if _, err := d.svc.Get(id); errors.Is(err, ErrNotFound) && cut {
			delete(s.sent, id)
		}
	}
}

// jam has one commit of many functions, of which some fail after they have queued
// a message, while a stream is open if that can be.
func (s *story) jam(rt *rapid.T) {
	d, other := s.who(rt)
	s.count++
	s.sent[d.write(other, strconv.Itoa(s.count)).ID] = s.count
	pass(time.Duration(rapid.IntRange(0, 50).Draw(rt, "ms")) * time.Millisecond)
	release := d.hold()
	for range rapid.IntRange(2, 8).Draw(rt, "functions") {
		m := Outgoing{other.self, newID(rt), KindText, []byte("of a commit that failed")}
		var want error
		if rapid.Bool().Draw(rt, "fails") {
			want = errBlown
		} else {
			s.count++
			s.sent[m.ID], m.Body = s.count, []byte(strconv.Itoa(s.count))
		}
		go func() {
			err := d.db.Update(func(tx *store.Tx) error {
				b := batch{s: d.svc, tx: tx, now: time.Now(), to: make(map[contact.ODID]*recipient)}
				_, err := d.svc.enqueue(&b, m)
				return errors.Join(err, b.end(), want)
			})
			if !errors.Is(err, want) {
				rt.Error(err)
			}
		}()
		synctest.Wait() // it queues behind those before it
	}
	release()
	synctest.Wait()
}

// fit fails the story unless the stores make sense.
func (s *story) fit(*rapid.T) {
	for _, d := range []*device{s.w.alice, s.w.bob} {
		if damages := d.damages(); len(damages) > 0 {
			s.rt.Fatalf("the store does not fit together: %v", damages)
		}
	}
}

func (s *story) backup(rt *rapid.T) {
	d, _ := s.who(rt)
	d.stop()
	s.backups[d] = append(s.backups[d], d.backup())
	d.start()
}

// restore goes back to a backup, as a user does or as one who copies files.
// Backups made since are of another life of the device.
func (s *story) restore(rt *rapid.T) {
	d, _ := s.who(rt)
	if len(s.backups[d]) == 0 {
		rt.Skip("no backup")
	}
	s.restoreTo(rt, d, rapid.IntRange(0, len(s.backups[d])-1).Draw(rt, "backup"))
}

// restoreTwice goes back to one backup, goes on from it, and goes back to it again:
// two lives of the device that know nothing of each other.
func (s *story) restoreTwice(rt *rapid.T) {
	d, other := s.who(rt)
	if len(s.backups[d]) == 0 {
		rt.Skip("no backup")
	}
	n := rapid.IntRange(0, len(s.backups[d])-1).Draw(rt, "backup")
	s.restoreTo(rt, d, n)
	for _, from := range []*device{d, other} {
		s.writeFrom(rt, from)
	}
	pass(time.Duration(rapid.IntRange(0, 60_000).Draw(rt, "ms")) * time.Millisecond)
	s.restoreTo(rt, d, n)
}

func (s *story) restoreTo(rt *rapid.T, d *device, n int) {
	s.restored = true
	d.crash()
	d.restore(s.backups[d][n])
	s.backups[d] = s.backups[d][:n+1]
	if rapid.Bool().Draw(rt, "properly") {
		d.open()
		if err := d.db.Update(NewEpoch); err != nil {
			rt.Fatal(err)
		}
		d.db.Close()
	}
	d.start()
}

// fill has the disk of a device be full for a while.
func (s *story) fill(rt *rapid.T) {
	d, other := s.who(rt)
	d.full.Store(true)
	s.writeFrom(rt, other)
	pass(time.Duration(rapid.IntRange(0, 600).Draw(rt, "seconds")) * time.Second)
	d.full.Store(false)
}

// lose has a device forget where the other is, and find learn it again.
func (s *story) lose(rt *rapid.T) {
	d, _ := s.who(rt)
	d.lost.Store(true)
}

func (s *story) find(*rapid.T) {
	for _, d := range []*device{s.w.alice, s.w.bob} {
		if d.lost.Swap(false) {
			d.svc.Found(s.w.alice.self)
			d.svc.Found(s.w.bob.self)
		}
	}
}

func (s *story) cancel(rt *rapid.T) {
	d, _ := s.who(rt)
	page, err := d.svc.Outbox(OutboxQuery{})
	if err != nil {
		rt.Fatal(err)
	}
	if len(page.Messages) == 0 {
		rt.Skip("nothing waits")
	}
	m := page.Messages[rapid.IntRange(0, len(page.Messages)-1).Draw(rt, "message")]
	s.cancelled[m.ID] = true
	if _, err := d.svc.Cancel(m.ID); err != nil {
		rt.Fatal(err)
	}
}

func (s *story) narrow(rt *rapid.T) {
	d, other := s.who(rt)
	v := contact.View{Status: contact.StatusAccepted, Given: contact.Presence, Received: contact.AllPermissions}
	if rapid.Bool().Draw(rt, "told") {
		other.relate(d, contact.View{Status: contact.StatusAccepted, Given: contact.AllPermissions, Received: contact.Presence})
		other.svc.Wake(d.self)
	}
	d.relate(other, v)
}

func (s *story) widen() {
	s.w.alice.relate(s.w.bob, accepted)
	s.w.bob.relate(s.w.alice, accepted)
	s.w.alice.svc.Wake(s.w.bob.self)
	s.w.bob.svc.Wake(s.w.alice.self)
}

// end lets everything become well again. A word from each side makes it look
// at what the other holds.
func (s *story) end() {
	s.w.net.Heal(s.w.alice.self, s.w.bob.self)
	s.find(s.rt)
	s.widen()
	pass(2 * time.Hour)
	for _, d := range []*device{s.w.alice, s.w.bob} {
		other := s.w.alice
		if d == other {
			other = s.w.bob
		}
		s.count++
		s.sent[d.write(other, "last").ID] = s.count
	}
	pass(2 * time.Hour)
}

func (s *story) check(from, to *device) {
	from.wantQueued(0)
	var got []int
	seen := make(map[ID]bool)
	for _, m := range to.history(from) {
		if m.Direction == Out || m.Kind == KindGap {
			continue
		}
		n, sent := s.sent[m.ID]
		switch {
		case !sent:
			s.rt.Fatalf("%s was never sent", m.ID)
		case seen[m.ID]:
			s.rt.Fatalf("message %d is there twice", n)
		}
		seen[m.ID] = true
		if !s.restored || !s.cancelled[m.ID] {
			got = append(got, n)
		}
	}
	if !slices.IsSorted(got) {
		s.rt.Fatalf("out of order: %d", got)
	}
	for _, m := range from.history(to) {
		if m.Direction == In {
			continue
		}
		n := s.sent[m.ID]
		switch {
		case m.State == Delivered && !seen[m.ID] && (!s.restored || !s.cancelled[m.ID]):
			s.rt.Fatalf("message %d is lost; received %d", n, got)
		case m.State == Cancelled && seen[m.ID] && !s.restored && m.Note == "":
			s.rt.Fatalf("message %d was cancelled and arrived", n)
		case m.State != Delivered && m.State != Cancelled:
			s.rt.Fatalf("message %d is %s", n, m.State)
		}
	}
}
