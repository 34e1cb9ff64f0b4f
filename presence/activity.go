package presence

import (
	"fmt"
	"time"

	"contactsd/contact"
)

// Activity is what a program knows of whether the user is at this device: the desktop,
// or a page that is looked at.
type Activity struct {
	Source string        // the program's word for itself, at most 32 bytes
	Idle   time.Duration // how long ago the user did something last
	Holds  time.Duration // how long the program is known to watch on; 0 until it leaves
}

// maxSources bounds how many programs report at once.
const maxSources = 16

// maxSourceSize is in bytes.
const maxSourceSize = 32

// activity is when the user did something last, as far as those know who report it.
// Without a report nothing is assumed, nor from when on nobody watches any more: who
// was there then counts as there, and who was away as away. It reads no clock.
type activity struct {
	last    time.Time            // zero before the first report
	watched time.Time            // up to when those watched who watch no more
	sources map[string]time.Time // up to when each watches
}

// always is later than any time that is looked at.
const always = 200 * 365 * 24 * time.Hour

// report notes what a program knows. *contact.InvalidError or *contact.LimitError if
// it can't be so.
func (a *activity) report(now time.Time, r Activity) error {
	switch {
	case r.Source == "":
		return &contact.InvalidError{Field: "source", Reason: "empty; name the program that reports"}
	case r.Idle < 0 || r.Holds < 0:
		return &contact.InvalidError{Field: "source", Reason: fmt.Sprintf("idle for %v, watched for %v; neither can be negative", r.Idle, r.Holds)}
	}
	if err := contact.CheckText("source", r.Source, maxSourceSize); err != nil {
		return err
	}
	for source, until := range a.sources {
		if until.Before(now) {
			a.left(source, until)
		}
	}
	if _, known := a.sources[r.Source]; !known && len(a.sources) >= maxSources {
		return &contact.LimitError{Field: "source", Got: len(a.sources) + 1, Limit: maxSources, Unit: "programs that report activity"}
	}
	until := now.Add(always)
	if r.Holds > 0 {
		until = now.Add(r.Holds)
	}
	if a.sources == nil {
		a.sources = make(map[string]time.Time)
	}
	a.sources[r.Source] = until
	a.touch(now.Add(-r.Idle))
	return nil
}

// touch notes that the user did something.
func (a *activity) touch(at time.Time) {
	if at.After(a.last) {
		a.last = at
	}
}

// left notes that a program watched up to a time, and no longer.
func (a *activity) left(source string, at time.Time) {
	until, known := a.sources[source]
	if !known {
		return
	}
	if until.Before(at) {
		at = until
	}
	if at.After(a.watched) {
		a.watched = at
	}
	delete(a.sources, source)
}

// away reports whether the user was seen doing nothing for so long, 0 for never, and
// since when that makes them away.
func (a *activity) away(now time.Time, after time.Duration) (since time.Time, is bool) {
	since = a.last.Add(after)
	if a.last.IsZero() || after <= 0 || now.Before(since) {
		return time.Time{}, false
	}
	is = !a.watched.Before(since)
	for _, until := range a.sources {
		is = is || !until.Before(since)
	}
	return since, is
}

// next returns how long until away may begin, 0 if it does not.
func (a *activity) next(now time.Time, after time.Duration) time.Duration {
	if a.last.IsZero() || after <= 0 {
		return 0
	}
	return max(0, a.last.Add(after).Sub(now))
}

// Report notes what a program knows of whether the user is there. After as long
// without activity as SetAwayAfter says, Online becomes Away, and Online again with the
// first activity that anybody reports. Errors: *contact.InvalidError, *contact.LimitError.
func (s *Service) Report(r Activity) error {
	now := time.Now()
	return s.observe(now, func() error { return s.activity.report(now, r) })
}

// Leave notes that a program watches no more. The state stays as it is.
func (s *Service) Leave(source string) {
	now := time.Now()
	_ = s.observe(now, func() error { s.activity.left(source, now); return nil })
}

// SetAwayAfter sets how long without activity makes the user away, 0 for never.
func (s *Service) SetAwayAfter(d time.Duration) {
	_ = s.observe(time.Now(), func() error { s.awayAfter = d; return nil })
}

// observe changes what is known of the user, and has contacts told if that makes
// another state.
func (s *Service) observe(now time.Time, change func() error) error {
	s.mu.Lock()
	was := s.mine(now).State
	err := change()
	if is := s.mine(now).State; is != was {
		s.remint = true
		if is == Online {
			s.backAt = now
		}
	}
	s.mu.Unlock()
	s.poke()
	return err
}

// untilIdle returns how long until idling makes a difference, a day if it doesn't.
func (s *Service) untilIdle(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := s.activity.next(now, s.awayAfter); left > 0 {
		return left
	}
	return 24 * time.Hour
}
