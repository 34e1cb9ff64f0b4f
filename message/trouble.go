package message

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Failed attempts are written down for the next start and for whoever asks after
// it, together: with a hundred contacts away a commit for each would keep the disk
// busy all day. What a crash loses of that costs an attempt that comes early.
const (
	troubleDelay = 5 * time.Second
	maxTroubles  = 1024 // that are not written down
)

// trouble is what is written down of a contact's failed attempts.
type trouble struct {
	attempts int // in a row
	since    time.Time
	next     time.Time
	words    string // what kept the last one
}

// troubles are those that are not written down yet. Service.mu guards it.
type troubles struct {
	list    map[contact.ODID]trouble
	at      time.Time // when they are written, if there are any
	writing bool
}

// note has a trouble written down in a while. The caller holds mu.
func (s *Service) note(peer contact.ODID, t trouble) {
	q := &s.troubles
	if len(q.list) == 0 {
		q.at = time.Now().Add(troubleDelay)
		s.reschedule()
	}
	q.list[peer] = t
	if len(q.list) == maxTroubles {
		q.at = time.Now()
		s.reschedule()
	}
}

// pending says when troubles are to be written, zero for never. The caller holds mu.
func (q *troubles) pending() time.Time {
	if len(q.list) == 0 || q.writing {
		return time.Time{}
	}
	return q.at
}

// writeTroubles has what is not written down go along with the next commit.
func (s *Service) writeTroubles() {
	s.mu.Lock()
	s.troubles.writing = true
	s.mu.Unlock()
	s.db.Later(s.putTroubles, func(err error) {
		again := troubleDelay
		if err != nil {
			again = fullRetry
			s.log.Error("next attempts not written down", "err", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.troubles.writing = false
		s.troubles.at = time.Now().Add(again)
		s.reschedule()
	})
}

// putTroubles writes down what is true at that moment: a contact that was reached
// meanwhile is not in the list any more.
func (s *Service) putTroubles(tx *store.Tx) error {
	s.mu.Lock()
	now := make(map[contact.ODID]trouble, len(s.troubles.list))
	for peer, t := range s.troubles.list {
		now[peer] = t
	}
	s.mu.Unlock()
	for peer, t := range now {
		a, err := getAccount(tx, peer)
		if err != nil {
			return err
		}
		a.Attempts, a.Since, a.Next, a.Trouble = uint64(t.attempts), millis(t.since), millis(t.next), t.words
	}
	tx.OnCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for peer, t := range now {
			if s.troubles.list[peer] == t {
				delete(s.troubles.list, peer)
			}
		}
	})
	return nil
}
