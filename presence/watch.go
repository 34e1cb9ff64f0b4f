package presence

import "contactsd/contact"

// notice is a change that watchers are yet to be told.
type notice struct {
	peer contact.ODID
	p    Presence
}

// Watch calls f with every change of what is known of another device, in order
// and one at a time, until cancel is called. It begins with the next change: what
// is known already is read with Of afterwards. f must not block. After cancel
// returned, a call of f that had begun may still be running.
func (s *Service) Watch(f func(peer contact.ODID, p Presence)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.watcherID
	s.watcherID++
	s.watchers[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, id)
	}
}

// tellWatchers notes a change; mu is held. deliver passes it on without mu.
func (s *Service) tellWatchers(peer contact.ODID, p Presence) {
	if len(s.watchers) > 0 {
		s.pending = append(s.pending, notice{peer, p})
	}
}

func (s *Service) deliver() {
	s.notify.Lock()
	defer s.notify.Unlock()
	s.mu.Lock()
	pending := s.pending
	s.pending = nil
	fs := make([]func(contact.ODID, Presence), 0, len(s.watchers))
	for _, f := range s.watchers {
		fs = append(fs, f)
	}
	s.mu.Unlock()
	for _, n := range pending {
		for _, f := range fs {
			f(n.peer, n.p)
		}
	}
}
