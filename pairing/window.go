package pairing

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// windowLasts is how long a window stays open after a watcher last took a code.
const windowLasts = 5 * time.Minute

// ErrWindowLapsed is returned by Show when nothing took the codes for 5 minutes.
var ErrWindowLapsed = errors.New("the code was not looked at for 5 minutes: show it again")

// Shown is the code or the link on display. Times carry Go's monotonic reading.
type Shown struct {
	Code       string    // as people read it, "482-193" or "482-193-507"; empty for a link
	Digits     string    // "482193"
	Link       string    // secret, as it is for whoever is to pair; empty for a code
	SwitchesAt time.Time // the next code is displayed from here on
	ExpiresAt  time.Time // the last instant at which this one is accepted; zero: while it is shown

	Accepts Accepts // what the window takes beside links
	// ShortAt is when codes of 6 digits are accepted again, zero unless the guesses of
	// the day are why they are not. If Accepts is not SixDigits and this is zero, those
	// of this window are.
	ShortAt time.Time
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
	// Link shows a link in place of codes. With Once it is accepted for 5 minutes.
	Link bool
	// NoAddresses leaves out of the link where this device is.
	NoAddresses bool
	// Only serves this device alone, as ServeOnly does.
	Only contact.ODID
	// Waiting, if not nil, is called with the devices that try to pair, from the
	// third wrong code on and at most once a second.
	Waiting func([]Waiting)
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
	rounds   int       // guesses taken at codes of 6 digits
	allow    contact.Permissions

	accepts Accepts
	short   time.Time  // as Shown.ShortAt
	link    *shownCode // nil unless a link is shown
	tried   tried      // by whom
	only    contact.ODID

	changed chan struct{} // closed and replaced when the code changes, closed at the end
	ended   *Ended        // nil while open
	why     error         // of an end without pairing
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
		Accepts:    w.accepts,
		ShortAt:    w.short,
	}
}

// restrict applies what the guesses left: the window goes from 6 digits to 9, and
// to links only. It never goes back to 6 under the eyes of those who look. It
// reports whether anything changed.
func (w *window) restrict(a allowance, now time.Time) bool {
	next := a.accepts
	if next == SixDigits && (w.accepts == NineDigits || w.rounds >= windowRounds) {
		next = NineDigits
	}
	if next == w.accepts {
		return false
	}
	w.accepts, w.short = next, a.short
	if n := next.digits(); n > 0 {
		w.table.digits = n
		w.table.renew(now.Sub(w.opened))
	}
	return true
}

// Show displays codes, or a link: it calls f with the one of the moment and again
// whenever another one replaces it, until the window ends, and returns how. f may
// block; while it does, this watcher counts as looking elsewhere, and with nobody
// looking the window ends after 5 minutes.
//
// Errors: *LimitedError if too many wrong codes came, now or before, but not for a
// link; ErrWindowLapsed; ErrSelf and ErrBlocked for Only; ctx's error, upon which
// the window closes unless others watch; *contact.LimitError or
// *contact.InvalidError for this device's name.
func (s *Service) Show(ctx context.Context, opt ShowOptions, f func(Shown)) (Ended, error) {
	if err := contact.CheckText("name", s.cfg.Name(), contact.MaxNameSize); err != nil {
		return Ended{}, err
	}
	if !opt.Only.IsZero() {
		if err := s.mayEnter(opt.Only); err != nil {
			return Ended{}, err
		}
	}
	left, err := s.allowed()
	if err != nil {
		return Ended{}, err
	}
	if left.accepts == LinksOnly && !opt.Link {
		return Ended{}, &LimitedError{Until: left.codes}
	}
	w := s.watch(opt, left)
	if !opt.Once {
		defer s.unwatch(w)
	}
	var last Shown
	var list listing
	for {
		now, changed, err := s.look(w, opt)
		if err != nil {
			return s.outcome(w, err)
		}
		if !now.same(last) {
			f(now)
			last = now
		}
		if opt.Once {
			return Ended{}, nil
		}
		again := now.SwitchesAt
		if opt.Waiting != nil {
			again = earlier(again, s.tell(w, &list, opt.Waiting))
		}
		timer := time.NewTimer(time.Until(again))
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

// same reports whether both are one code or link, shown for the same reason.
func (a Shown) same(b Shown) bool {
	return a.Digits == b.Digits && a.Link == b.Link && a.ExpiresAt.Equal(b.ExpiresAt) && a.Accepts == b.Accepts
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
func (s *Service) watch(opt ShowOptions, left allowance) *window {
	s.openWindow() // ends one that has lapsed
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	w := s.window
	if w == nil {
		w = &window{opened: now, table: newCodeTable(shortCode, 0), changed: make(chan struct{})}
		s.window = w
	}
	w.restrict(left, now)
	w.allow |= opt.Allow
	if opt.Link && w.link == nil {
		w.link = newLink()
	}
	if !opt.Only.IsZero() {
		w.only = opt.Only
	}
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

// look puts the code of the moment, or the link, on display.
func (s *Service) look(w *window, opt ShowOptions) (Shown, <-chan struct{}, error) {
	s.openWindow()
	var l link
	if opt.Link {
		l.odid, l.name = s.self, s.cfg.Name()
		if !opt.NoAddresses {
			l.addrs = s.cfg.Addresses.Own()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return Shown{}, nil, errEnded
	}
	now := time.Now()
	if !opt.Once {
		w.lease = now.Add(windowLasts)
	}
	if opt.Link {
		l.secret = *w.link.link
		shown := Shown{Link: l.url(), SwitchesAt: now.Add(codePeriod), Accepts: w.accepts, ShortAt: w.short}
		if opt.Once {
			shown.ExpiresAt = now.Add(windowLasts)
			w.until = later(w.until, shown.ExpiresAt)
		}
		return shown, w.changed, nil
	}
	if w.accepts == LinksOnly {
		return Shown{}, nil, w.why
	}
	c, err := w.table.show(now.Sub(w.opened))
	if err != nil {
		return Shown{}, nil, err
	}
	shown := w.describe(c)
	if opt.Once {
		w.until = later(w.until, shown.ExpiresAt)
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

// candidates fixes what a session is checked against. Whoever comes with a link
// where none is shown gets a round like any other, at one that nobody has: a link
// that was used up is refused like a wrong one.
func (s *Service) candidates(w *window, kind uint8) ([]*shownCode, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.ended != nil:
		return nil, errNothingShown
	case kind == kindLink && w.link == nil:
		return []*shownCode{newLink()}, nil
	case kind == kindLink:
		return []*shownCode{w.link}, nil
	case w.accepts == LinksOnly:
		return nil, refusal{reasonLimit}
	}
	codes := w.table.candidates(time.Since(w.opened))
	if len(codes) == 0 {
		return nil, errNothingShown
	}
	return codes, nil
}

// showsItself reports whether this device shows the code: its user reads it off
// the wrong screen.
func (s *Service) showsItself(digits string) bool {
	w := s.openWindow()
	if w == nil {
		return false
	}
	codes, _ := s.candidates(w, kindCode)
	return slices.ContainsFunc(codes, func(c *shownCode) bool { return c.digits == digits })
}

// use lets the code or link pair if it is the first time and the window is still
// open. Every surface is given another one.
func (s *Service) use(w *window, c *shownCode) bool {
	if s.openWindow() != w {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.ended != nil:
		return false
	case c.link != nil:
		if c != w.link {
			return false
		}
		w.link = newLink()
	case !w.table.use(c, time.Since(w.opened)):
		return false
	}
	w.wake()
	return true
}

// failed takes note of a wrong guess, and of what is accepted from now on.
func (s *Service) failed(w *window, st transport.Stream, c *shownCode) {
	if c.link != nil {
		return
	}
	left, err := s.allowed()
	if err != nil {
		s.log.Error("pairing: guesses unreadable, window closed", "err", err)
		left = allowance{accepts: LinksOnly}
	}
	now := time.Now()
	s.mu.Lock()
	if w.ended != nil {
		s.mu.Unlock()
		return
	}
	w.tried.wrong(st.Peer(), now)
	restricted := w.restrict(left, now)
	reset := func() {}
	if restricted && w.accepts == LinksOnly {
		w.why = &LimitedError{Until: left.codes}
		if w.link == nil {
			reset = s.end(w, Ended{}, w.why)
		}
	}
	accepts := w.accepts
	if w.ended == nil {
		w.wake()
	}
	s.mu.Unlock()
	reset()
	if !restricted {
		return
	}
	s.log.Warn("pairing: too many wrong codes", "accepts", accepts)
	event := contact.Event{Type: contact.PairingLimited, At: now.UnixMilli(), State: accepts.String()}
	if !left.short.IsZero() {
		event.Detail = left.short.UTC().Format(time.RFC3339)
	}
	if err := s.cfg.DB.Update(func(tx *store.Tx) error { return tx.Emit(event) }); err != nil {
		s.log.Error("pairing: journal", "err", err)
	}
}
