package server

import (
	"context"
	"sync"
	"time"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/presence"
)

type presences struct{ *Server }

func (s presences) GetPresence(_ context.Context, req *contactsv1.GetPresenceRequest) (*contactsv1.GetPresenceResponse, error) {
	if req.Contact == "" {
		return &contactsv1.GetPresenceResponse{Presence: ownPresence(s.node.Presence.Mine())}, nil
	}
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetPresenceResponse{Presence: presenceOf(s.node.Presence.Of(c.ODID))}, nil
}

func (s presences) SetPresence(_ context.Context, req *contactsv1.SetPresenceRequest) (*contactsv1.SetPresenceResponse, error) {
	state, err := presence.ParseState(req.State)
	if err != nil {
		return nil, err
	}
	if err := s.node.Presence.Set(state, req.Text); err != nil {
		return nil, err
	}
	return &contactsv1.SetPresenceResponse{Presence: ownPresence(s.node.Presence.Mine())}, nil
}

func (s presences) ReportActivity(_ context.Context, req *contactsv1.ReportActivityRequest) (*contactsv1.ReportActivityResponse, error) {
	if req.Leaves {
		s.node.Presence.Leave(req.Source)
	} else {
		err := s.node.Presence.Report(presence.Activity{
			Source: req.Source,
			Idle:   time.Duration(req.IdleSeconds) * time.Second,
			Holds:  time.Duration(req.HoldsSeconds) * time.Second,
		})
		if err != nil {
			return nil, err
		}
	}
	return &contactsv1.ReportActivityResponse{Presence: ownPresence(s.node.Presence.Mine())}, nil
}

func (s presences) WatchPresence(ctx context.Context, _ *contactsv1.WatchPresenceRequest, stream *connect.ServerStream[contactsv1.WatchPresenceResponse]) error {
	changes, cancel := s.watchPresence()
	defer cancel()
	list, err := s.node.Relation.List(false)
	if err != nil {
		return err
	}
	send := func(peer contact.ODID, p presence.Presence) error {
		return stream.Send(&contactsv1.WatchPresenceResponse{Contact: peer.String(), Presence: presenceOf(p)})
	}
	for _, c := range list {
		if err := send(c.ODID, s.node.Presence.Of(c.ODID)); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changes.wake:
			for _, c := range changes.take() {
				if err := send(c.peer, c.presence); err != nil {
					return err
				}
			}
		}
	}
}

// latest holds what a watcher of presence has yet to be told: of each contact
// the newest only, so a slow watcher costs no more than a list of contacts.
type latest struct {
	wake chan struct{} // of capacity 1

	mu    sync.Mutex
	order []contact.ODID
	by    map[contact.ODID]presence.Presence
}

type presenceChange struct {
	peer     contact.ODID
	presence presence.Presence
}

// watchPresence collects changes until cancel is called.
func (s *Server) watchPresence() (l *latest, cancel func()) {
	l = &latest{wake: make(chan struct{}, 1), by: make(map[contact.ODID]presence.Presence)}
	return l, s.node.Presence.Watch(l.put)
}

func (l *latest) put(peer contact.ODID, p presence.Presence) {
	l.mu.Lock()
	if _, waits := l.by[peer]; !waits {
		l.order = append(l.order, peer)
	}
	l.by[peer] = p
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *latest) take() []presenceChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]presenceChange, 0, len(l.order))
	for _, peer := range l.order {
		out = append(out, presenceChange{peer, l.by[peer]})
	}
	l.order = l.order[:0]
	clear(l.by)
	return out
}
