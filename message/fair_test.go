package message

import (
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport/memnet"
)

// inCrowd is inWorld with contacts besides bob whose devices are away, so that
// dialling one hangs until whoever dials gives up.
func inCrowd(t *testing.T, many int, story func(t *testing.T, w *world, away []*device)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net = memnet.New(memnet.Options{Latency: time.Millisecond, DialTimeout: time.Hour})
		w.alice.start()
		w.bob.start()
		away := make([]*device, many)
		for i := range away {
			away[i] = newDeviceOf(t, w, 1000+i)
			w.alice.relate(away[i], accepted)
			w.net.Cut(w.alice.self, away[i].self)
		}
		story(t, w, away)
	})
}

// Contacts that are away are tried all the time, and one that is there is not
// connected yet: what is sent to it does not wait for them.
func TestContactsThatAreAwayDoNotHoldUpOneThatIsThere(t *testing.T) {
	for _, c := range []struct {
		name  string
		away  int
		after time.Duration // that the others were written to
		limit time.Duration
	}{
		{"nobody was tried before", 100, 0, 40 * time.Second},
		{"the others were", 400, 30 * time.Minute, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCrowd(t, c.away, func(t *testing.T, w *world, away []*device) {
				for _, d := range away {
					w.alice.write(d, "anybody there")
				}
				pass(c.after)
				began := time.Now()
				m := w.alice.write(w.bob, "hello")
				for w.alice.get(m.ID).State != Delivered {
					pass(100 * time.Millisecond)
					if time.Since(began) > time.Hour {
						break
					}
				}
				t.Logf("delivered after %v", time.Since(began))
				if took := time.Since(began); took > c.limit {
					t.Errorf("delivered after %v, want at most %v", took, c.limit)
				}
			})
		})
	}
}

// comer is a lane whose time came a while ago.
type comer struct {
	lane
	waited time.Duration
}

// lanes makes a schedule with those.
func lanes(now time.Time, list ...*comer) *schedule {
	c := newSchedule()
	for i, l := range list {
		l.peer = contact.ODID{byte(i), byte(i >> 8), 1}
		c.lanes[l.peer] = &l.lane
		c.at(&l.lane, now.Add(-l.waited))
	}
	return &c
}

func TestDialsGoToWhoMayBeThereFirst(t *testing.T) {
	now := time.Now()
	var list []*comer
	for range 3 * maxDials {
		list = append(list, &comer{lane{attempts: 1, size: 1}, time.Hour})
	}
	c := lanes(now, list...)
	begin, next := c.start(now)
	if len(begin) != maxRepeats || !next.IsZero() {
		t.Fatalf("%d of those that failed begin, next %v", len(begin), next)
	}
	fresh := &lane{peer: contact.ODID{9}, size: MaxQueued}
	c.lanes[fresh.peer] = fresh
	c.at(fresh, now)
	if begin, _ := c.start(now); len(begin) != 1 || begin[0] != fresh {
		t.Fatalf("%d begin beside them", len(begin))
	}
	if c.dials != maxRepeats+1 || c.redials != maxRepeats {
		t.Errorf("%d dials, %d of them again", c.dials, c.redials)
	}
	for _, l := range begin {
		c.free(l)
	}
	if c.free(begin[0]) || c.dials != 1 || c.redials != 0 {
		t.Errorf("%d dials, %d of them again", c.dials, c.redials)
	}
}

func TestSmallQueuesGoFirstAndLargeOnesInTheEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		list []*comer
		want int // the lane that goes first
	}{
		{"the smaller of two", []*comer{{lane{size: 9}, 0}, {lane{size: 1}, 0}}, 1},
		{"who came first of two alike", []*comer{{lane{size: 2}, 0}, {lane{size: 2}, time.Second}}, 1},
		{"a small one just before", []*comer{{lane{size: 1}, 0}, {lane{size: MaxQueued}, time.Minute}}, 0},
		{"a large one that has waited", []*comer{{lane{size: 1}, 0}, {lane{size: MaxQueued}, 90 * time.Second}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now()
			sched := lanes(now, c.list...)
			sched.dials = maxDials - 1
			begin, _ := sched.start(now)
			if len(begin) != 1 || begin[0] != &c.list[c.want].lane {
				t.Errorf("%+v begin", begin)
			}
		})
	}
}

// The backlog keeps its order whatever happens to the lanes in it.
func TestTheBacklogFollowsWhatHappens(t *testing.T) {
	w := newWorld(t)
	serveScript(t, w.alice, w.bob.self)
	s, now := w.alice.svc, time.Now()
	s.sched.dials = maxDials
	a, b, c := contact.ODID{1}, contact.ODID{2}, contact.ODID{3}
	for _, peer := range []contact.ODID{a, b, c} {
		s.queued(peer, now, arrival{size: 1})
	}
	if begin, _ := s.sched.start(now); len(begin) != 0 {
		t.Fatalf("%d begin without a dial", len(begin))
	}
	s.queued(a, now, arrival{size: 1000})
	s.connection(b, true)
	begin, _ := s.sched.start(time.Now())
	if len(begin) != 1 || begin[0].peer != b || begin[0].dialing {
		t.Fatalf("%+v begin after b has connected", begin)
	}
	for range 3 {
		s.Wake(c) // keeps its turn, and does not lose it to one that comes later
		s.queued(contact.ODID{4}, time.Now(), arrival{size: 1})
		s.sched.start(time.Now())
	}
	s.sched.dials = maxDials - 1
	if begin, _ = s.sched.start(time.Now()); len(begin) != 1 || begin[0].peer != c {
		t.Fatalf("%+v begin", begin)
	}
}

// A contact whose address leads nowhere comes by itself.
func TestADialInVainIsGivenUpWhenTheContactComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.alice.start()
		w.bob.start()
		w.alice.tap.stuck.Store(true)
		w.alice.write(w.bob, "hello")
		pass(time.Second)
		connect(t, w)
		pass(comePatience + 100*time.Millisecond)
		w.bob.wantReceived(w.alice, []string{"hello"})
		if n := w.alice.svc.Traffic().Failures; n != 0 {
			t.Errorf("%d failures", n)
		}
	})
}

func TestPatienceWithADialGrows(t *testing.T) {
	for failed, want := range map[int]time.Duration{
		0: 5 * time.Second, 1: 10 * time.Second, 2: 20 * time.Second, 3: 20 * time.Second, 1 << 16: 20 * time.Second,
	} {
		if got := dialPatience(failed); got != want {
			t.Errorf("after %d failures: %v, want %v", failed, got, want)
		}
	}
}

// A device with very many queues looks at a part of them at a time.
func TestQueuesAreLoadedInParts(t *testing.T) {
	inCrowd(t, 3*loadPart+1, func(t *testing.T, w *world, away []*device) {
		for _, d := range away {
			w.alice.write(d, "anybody there")
		}
		w.alice.stop()
		w.alice.open()
		defer w.alice.db.Close()
		s, err := New(Config{DB: w.alice.db, Network: w.net.Device(w.alice.self), Relation: w.alice.relation})
		if err != nil {
			t.Fatal(err)
		}
		parts := 0
		for from := []byte(nil); parts == 0 || from != nil; parts++ {
			if from, err = s.load(from); err != nil {
				t.Fatal(err)
			}
			if n := len(s.sched.lanes); n > (parts+1)*loadPart {
				t.Fatalf("%d lanes after %d parts", n, parts+1)
			}
		}
		if len(s.sched.lanes) != len(away) || parts != 4 {
			t.Errorf("%d lanes after %d parts", len(s.sched.lanes), parts)
		}
	})
}
