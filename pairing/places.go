package pairing

import (
	"context"
	"slices"

	"contactsd/transport"
)

// session is an inbound session, as far as it takes a place.
type session struct {
	st      transport.Stream
	source  string
	window  *window
	cancel  context.CancelFunc
	proving bool // it has sent a proof
	counted bool // and its turn has come, which costs it a guess
}

// sourceOf returns where the peer connects from, for sharing what there is fairly:
// its place on the network, so that nobody gets more by having many keys, or, on
// this machine, where all have one place, the peer itself.
func sourceOf(st transport.Stream) string {
	if located, ok := st.(transport.Located); ok {
		if place := located.Place(); place != "" {
			return place
		}
	}
	peer := st.Peer()
	return string(peer[:])
}

// admit gives the stream one of the places in w: one a peer, two from one place on
// the network, 4 in all. Sessions that have sent no proof yield, the oldest first:
// holding a place costs guesses. Those whose proof waits for its turn yield to
// whoever comes from where nobody was served for longer, so a crowd that always
// comes back can't keep others out. admit returns nil if there is no place. cancel
// ends the waiting of the session if it has to yield later.
func (s *Service) admit(w *window, st transport.Stream, cancel context.CancelFunc) *session {
	mine := &session{st: st, source: sourceOf(st), window: w, cancel: cancel}
	samePlace := func(o *session) bool { return o.source == mine.source }
	var yields *session
	s.mu.Lock()
	i := slices.IndexFunc(s.sessions, func(o *session) bool { return o.st.Peer() == st.Peer() })
	full := i >= 0
	if full && s.sessions[i].proving {
		i = -1
	}
	if !full && count(s.sessions, samePlace) >= maxOfSource {
		full, i = true, oldest(s.sessions, samePlace)
	}
	if !full && len(s.sessions) >= maxSessions {
		full = true
		if i = oldest(s.sessions, func(*session) bool { return true }); i < 0 {
			i = s.servedAfter(mine.source)
		}
	}
	if full && i < 0 {
		s.mu.Unlock()
		return nil
	}
	if full {
		yields = s.sessions[i]
		s.sessions = slices.Delete(s.sessions, i, i+1)
	}
	s.sessions = append(s.sessions, mine)
	proving := yields != nil && yields.proving
	s.mu.Unlock()
	switch {
	case yields == nil:
	case proving:
		yields.cancel() // it answers that this device is busy
	default:
		yields.st.Reset()
	}
	return mine
}

func count(list []*session, is func(*session) bool) (n int) {
	for _, o := range list {
		if is(o) {
			n++
		}
	}
	return n
}

// oldest returns the first of those that have not sent a proof, -1 if all have.
func oldest(list []*session, of func(*session) bool) int {
	return slices.IndexFunc(list, func(o *session) bool { return of(o) && !o.proving })
}

// servedAfter returns the session waiting for its turn whose source was served
// last of all, if that was after this source was; else -1.
func (s *Service) servedAfter(source string) int {
	last, at := -1, s.pace.rank(source)
	for i, o := range s.sessions {
		if rank := s.pace.rank(o.source); !o.counted && rank > at {
			last, at = i, rank
		}
	}
	return last
}

// turn notes that the proof of a session is looked at now. It returns false if the
// session has yielded its place.
func (s *Service) turn(o *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.counted = true
	return slices.Contains(s.sessions, o)
}

// proving notes whether the session has sent a proof that is not yet answered.
// It returns false if the session has yielded its place.
func (s *Service) proving(o *session, is bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.proving, o.counted = is, false
	return slices.Contains(s.sessions, o)
}

func (s *Service) leave(o *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = slices.DeleteFunc(s.sessions, func(p *session) bool { return p == o })
}
