package pairing

import (
	"errors"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

// Limits of the list of devices that try to pair.
const (
	listAfter  = 3 // wrong codes in a window
	maxTried   = 32
	listEvery  = time.Second
	triedLasts = 5 * time.Minute
)

// Waiting is a device that tried to pair in this window.
type Waiting struct {
	Peer  contact.ODID
	Wrong int       // wrong codes that it sent
	At    time.Time // its latest attempt
	Only  bool      // it alone is served
}

// ErrNothingShown is returned by ServeOnly when no code is shown.
var ErrNothingShown = errors.New("no code is shown here: run `contactsctl show-code` first")

// tried is who tried to pair in a window, for a user who has to tell the honest
// device among strangers. Whoever makes up many keys in one place pushes its own
// off the list, not others'.
type tried struct {
	list    []attempt
	wrongs  int
	version int // rises with each change
}

type attempt struct {
	Waiting
	source string
}

// seen notes an attempt.
func (t *tried) seen(peer contact.ODID, source string, now time.Time) {
	t.version++
	t.list = slices.DeleteFunc(t.list, func(a attempt) bool { return now.Sub(a.At) > triedLasts })
	if i := t.index(peer); i >= 0 {
		t.list[i].At = now
		return
	}
	if len(t.list) >= maxTried {
		t.list = slices.Delete(t.list, t.leastMissed(), t.leastMissed()+1)
	}
	t.list = append(t.list, attempt{Waiting{Peer: peer, At: now}, source})
}

// leastMissed returns the oldest attempt of the place that most come from.
func (t *tried) leastMissed() int {
	of := make(map[string]int)
	for _, a := range t.list {
		of[a.source]++
	}
	least := 0
	for i, a := range t.list {
		if of[a.source] > of[t.list[least].source] {
			least = i
		}
	}
	return least
}

func (t *tried) index(peer contact.ODID) int {
	return slices.IndexFunc(t.list, func(a attempt) bool { return a.Peer == peer })
}

func (t *tried) wrong(peer contact.ODID, now time.Time) {
	t.wrongs++
	t.version++
	if i := t.index(peer); i >= 0 {
		t.list[i].Wrong++
		t.list[i].At = now
	}
}

// attends notes that a device wants to pair, and reports whether it is one of
// those that are served.
func (s *Service) attends(w *window, st transport.Stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return true // the session finds that out, and ends as any other
	}
	w.tried.seen(st.Peer(), sourceOf(st), time.Now())
	if w.tried.wrongs >= listAfter {
		w.wake()
	}
	return w.only.IsZero() || w.only == st.Peer()
}

// ServeOnly lets only this device pair in the open window, or everybody again for
// the zero ODID. Sessions of others that have sent no proof end. Errors:
// ErrNothingShown, ErrSelf, ErrBlocked.
func (s *Service) ServeOnly(peer contact.ODID) error {
	if !peer.IsZero() {
		if err := s.mayEnter(peer); err != nil {
			return err
		}
	}
	w := s.openWindow()
	if w == nil {
		return ErrNothingShown
	}
	s.mu.Lock()
	if w.ended != nil {
		s.mu.Unlock()
		return ErrNothingShown
	}
	w.only = peer
	w.tried.version++
	w.wake()
	var others []*session
	for _, o := range s.sessions {
		if o.window == w && !o.proving && !peer.IsZero() && o.st.Peer() != peer {
			others = append(others, o)
		}
	}
	s.mu.Unlock()
	for _, o := range others {
		o.st.Reset()
	}
	return nil
}

// listing is what one watcher was told of the list.
type listing struct {
	version int
	at      time.Time
}

// tell gives the list to a watcher if it changed, once a second at most. It
// returns when to look again.
func (s *Service) tell(w *window, told *listing, f func([]Waiting)) time.Time {
	now := time.Now()
	s.mu.Lock()
	due := w.tried.wrongs >= listAfter && told.version != w.tried.version
	if next := told.at.Add(listEvery); !due || now.Before(next) {
		s.mu.Unlock()
		if due {
			return next
		}
		return now.Add(windowLasts)
	}
	told.version, told.at = w.tried.version, now
	list := make([]Waiting, 0, len(w.tried.list))
	for _, a := range w.tried.list {
		a.Only = a.Peer == w.only
		list = append(list, a.Waiting)
	}
	s.mu.Unlock()
	// Whoever tried last stands first: it is the one that the user just asked to.
	slices.SortStableFunc(list, func(a, b Waiting) int { return b.At.Compare(a.At) })
	f(list)
	return now.Add(windowLasts)
}
