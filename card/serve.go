package card

import (
	"context"
	"errors"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// serveTimeout bounds one question and its answer.
const serveTimeout = 10 * time.Second

// Streams that are served at once, of all and of one. There is no need for more: who
// may have the card asks once for each change of it.
const (
	maxStreams      = 32
	maxStreamsOfOne = 2
)

// errNoGrant: the grant that the gate saw is gone.
var errNoGrant = errors.New("the card is not granted any more")

// Handle gives the card to a peer that may have it, and owns the stream. Nothing of
// what a peer says is kept.
func (s *Service) Handle(_ context.Context, st transport.Stream, _ contact.Decision) {
	peer := st.Peer()
	if !s.door.enter(peer) {
		_ = st.Reset()
		return
	}
	defer s.door.leave(peer)
	if err := s.answer(st); err != nil {
		s.log.Debug("card: question broken off", "peer", peer.Short(), "err", err)
		_ = st.Reset()
		return
	}
	_ = st.Close()
}

func (s *Service) answer(st transport.Stream) error {
	if err := st.SetDeadline(time.Now().Add(serveTimeout)); err != nil {
		return err
	}
	var in request
	if err := transport.NewFrameReader(st, maxRequest).Read(&in); err != nil {
		return err
	}
	var c Card
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		v, err := s.cfg.Relations.Of(tx, st.Peer())
		if err != nil {
			return err
		}
		if !v.Given {
			return errNoGrant
		}
		row, _, err := owns.Get(tx, theKey())
		c = row.card()
		return err
	})
	if err != nil {
		return err
	}
	return transport.WriteFrame(st, answerOf(c), maxAnswer)
}

// door counts the streams that are served.
type door struct {
	mu   sync.Mutex
	busy int
	of   map[contact.ODID]int
}

func newDoor() *door { return &door{of: make(map[contact.ODID]int)} }

// enter takes a place for a stream of peer; false if there is none. leave gives it back.
func (d *door) enter(peer contact.ODID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy >= maxStreams || d.of[peer] >= maxStreamsOfOne {
		return false
	}
	d.busy++
	d.of[peer]++
	return true
}

func (d *door) leave(peer contact.ODID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	if d.of[peer]--; d.of[peer] == 0 {
		delete(d.of, peer)
	}
}
