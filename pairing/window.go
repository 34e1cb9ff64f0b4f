package pairing

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// windowLasts is how long a window stays open after a watcher last took a code.
const windowLasts = 5 * time.Minute

// ErrWindowLapsed is returned by Show when nothing took the codes for 5 minutes.
var ErrWindowLapsed = errors.New("the code was not looked at for 5 minutes: show it again")

// Shown is the code on display. Times carry Go's monotonic reading.
type Shown struct {
	Code       string    // as people read it, "482-193"
	Digits     string    // "482193"
	SwitchesAt time.Time // the next code is displayed from here on
	ExpiresAt  time.Time // the last instant at which this one is accepted
}

// Ended is how a window ended.
type Ended struct {
	Paired bool // false if it goes on without this watcher
	Peer   contact.ODID
	Name   string
	PairID contact.PairID
}

// ShowOptions are the choices of who shows a code.
type ShowOptions struct {
	// Once shows the code of the moment and leaves the window open, watched or
	// not, until that code's ExpiresAt.
	Once bool
	// Allow is granted to the device that pairs beside contact.PairedDefault.
	// Watchers share a window and what they allow.
	Allow contact.Permissions
}

// window is the time during which codes are displayed and accepted. It is open
// while somebody watches, or until a time that --once set. Its fields are guarded
// by Service.mu.
type window struct {
	opened   time.Time
	table    *codeTable
	watchers int
	lease    time.Time // watchers must take a code before
	until    time.Time // open so long without watchers
	rounds   int       // guesses taken
	allow    contact.Permissions
	changed  chan struct{} // closed and replaced when the code changes, closed at the end
	ended    *Ended        // nil while open
	why      error         // of an end without pairing
}

func (w *window) closesAt() time.Time {
	if w.watchers > 0 && w.lease.After(w.until) {
		return w.lease
	}
	return w.until
}

// wake has every watcher look again.
func (w *window) wake() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *window) describe(c *shownCode) Shown {
	return Shown{
		Code:       formatCode(c.digits),
		Digits:     c.digits,
		SwitchesAt: w.opened.Add(c.until),
		ExpiresAt:  w.opened.Add(c.until + codeGrace),
	}
}

// Show displays codes: it calls f with the code of the moment and again whenever
// another one replaces it, until the window ends, and returns how. f may block;
// while it does, this watcher counts as looking elsewhere, and with nobody
// looking the window ends after 5 minutes.
//
// Errors: *LimitedError if too many wrong codes came, now or before;
// ErrWindowLapsed; ctx's error, upon which the window closes unless others watch;
// *contact.LimitError or *contact.InvalidError for this device's name.
func (s *Service) Show(ctx context.Context, opt ShowOptions, f func(Shown)) (Ended, error) {
	if err := contact.CheckText("name", s.cfg.Name(), contact.MaxNameSize); err != nil {
		return Ended{}, err
	}
	if err := s.limited(); err != nil {
		return Ended{}, err
	}
	w := s.watch(opt)
	if !opt.Once {
		defer s.unwatch(w)
	}
	var last Shown
	for {
		now, changed, err := s.look(w, opt.Once)
		if err != nil {
			return s.outcome(w, err)
		}
		if now != last {
			f(now)
			last = now
		}
		if opt.Once {
			return Ended{}, nil
		}
		timer := time.NewTimer(time.Until(now.SwitchesAt))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return s.outcome(w, err)
		}
	}
}

// outcome tells a watcher how w ended, or, if it has not, why the watcher did.
func (s *Service) outcome(w *window, err error) (Ended, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.ended == nil:
		return Ended{}, err
	case w.ended.Paired:
		return *w.ended, nil
	}
	return Ended{}, w.why
}

// watch joins the open window, or opens one.
func (s *Service) watch(opt ShowOptions) *window {
	s.openWindow() // ends one that has lapsed
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	w := s.window
	if w == nil {
		w = &window{opened: now, table: newCodeTable(0), changed: make(chan struct{})}
		s.window = w
	}
	w.allow |= opt.Allow
	if opt.Once {
		w.until = later(w.until, now.Add(codePeriod)) // look sets it right
	} else {
		w.watchers++
		w.lease = now.Add(windowLasts)
	}
	select {
	case s.opened <- struct{}{}:
	default:
	}
	return w
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Service) unwatch(w *window) {
	s.mu.Lock()
	w.watchers--
	if w.ended == nil {
		w.wake() // the time to close may be another one now
	}
	s.mu.Unlock()
	s.openWindow()
}

// errEnded says that a window is over; outcome says how.
var errEnded = errors.New("the window has ended")

// look puts the code of the moment on display.
func (s *Service) look(w *window, once bool) (Shown, <-chan struct{}, error) {
	s.openWindow()
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return Shown{}, nil, errEnded
	}
	now := time.Now()
	c, err := w.table.show(now.Sub(w.opened))
	if err != nil {
		return Shown{}, nil, err
	}
	shown := w.describe(c)
	if once {
		w.until = later(w.until, shown.ExpiresAt)
	} else {
		w.lease = now.Add(windowLasts)
	}
	return shown, w.changed, nil
}

// openWindow returns the open window, nil if there is none. It ends one that
// nobody watches any more.
func (s *Service) openWindow() *window {
	s.mu.Lock()
	w := s.window
	if w == nil || time.Now().Before(w.closesAt()) {
		s.mu.Unlock()
		return w
	}
	reset := s.end(w, Ended{}, ErrWindowLapsed)
	s.mu.Unlock()
	reset()
	return nil
}

// end closes w, with s.mu held. The caller calls what it returns without: it
// resets the sessions that have proven nothing.
func (s *Service) end(w *window, e Ended, why error) (reset func()) {
	if w.ended != nil {
		return func() {}
	}
	w.ended, w.why = &e, why
	close(w.changed)
	if s.window == w {
		s.window = nil
	}
	maps.DeleteFunc(s.staged, func(_ contact.PairID, of *window) bool { return of == w })
	var idle []*session
	for _, o := range s.sessions {
		if o.window == w && !o.proving {
			idle = append(idle, o)
		}
	}
	return func() {
		for _, o := range idle {
			o.st.Reset()
		}
	}
}

// waitClosed returns when w has ended or ctx is done.
func (s *Service) waitClosed(ctx context.Context, w *window) {
	for {
		if s.openWindow() != w {
			return
		}
		s.mu.Lock()
		changed, closes := w.changed, w.closesAt()
		s.mu.Unlock()
		timer := time.NewTimer(time.Until(closes))
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// candidates fixes the codes that a session is checked against.
func (s *Service) candidates(w *window) []*shownCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return nil
	}
	return w.table.candidates(time.Since(w.opened))
}

// showsItself reports whether this device shows the code: its user reads it off
// the wrong screen.
func (s *Service) showsItself(digits string) bool {
	w := s.openWindow()
	return w != nil && slices.ContainsFunc(s.candidates(w), func(c *shownCode) bool { return c.digits == digits })
}

// use lets the code pair if it is the first time and the window is still open.
// Every surface is given a code of a new secret.
func (s *Service) use(w *window, c *shownCode) bool {
	if s.openWindow() != w {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil || !w.table.use(c, time.Since(w.opened)) {
		return false
	}
	w.wake()
	return true
}

// failed closes the window after a failed round if no guess is left.
func (s *Service) failed(w *window) {
	err := s.limited()
	limit, limited := errors.AsType[*LimitedError](err)
	s.mu.Lock()
	if !limited && w.rounds >= windowRounds {
		limit, limited = &LimitedError{Until: time.Now()}, true
	}
	if !limited || w.ended != nil {
		s.mu.Unlock()
		return
	}
	reset := s.end(w, Ended{}, limit)
	s.mu.Unlock()
	reset()
	s.log.Warn("pairing: window closed after too many wrong codes", "until", limit.Until)
	err = s.cfg.DB.Update(func(tx *store.Tx) error {
		return tx.Emit(contact.Event{Type: contact.PairingLimited, At: time.Now().UnixMilli(), Detail: limit.Until.UTC().Format(time.RFC3339)})
	})
	if err != nil {
		s.log.Error("pairing: journal", "err", err)
	}
}
