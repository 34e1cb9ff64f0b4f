package server

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	contactsv1 "contactsd/api/contacts/v1"
)

type events struct{ *Server }

// presenceChanged is the type of the events that are not in the journal.
const presenceChanged = "presence.changed"

// eventBatch is how many events are read from the journal at once.
const eventBatch = 256

func (s events) ListEvents(_ context.Context, req *contactsv1.ListEventsRequest) (*contactsv1.ListEventsResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	newest, err := s.node.DB.Cursor()
	if err != nil {
		return nil, err
	}
	after := newest - min(newest, uint64(size))
	if req.After != "" {
		if after, err = parseCursor("after", req.After); err != nil {
			return nil, err
		}
	}
	entries, err := s.node.DB.Events(after, size)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListEventsResponse{Cursor: cursorText(after)}
	for _, e := range entries {
		r.Events = append(r.Events, eventOf(e))
		r.Cursor = cursorText(e.Cursor)
	}
	return r, nil
}

func (s events) WatchEvents(ctx context.Context, req *contactsv1.WatchEventsRequest, stream *connect.ServerStream[contactsv1.WatchEventsResponse]) error {
	return s.follow(ctx, req.After, stream.Send)
}

// follow sends what a watcher of events is due: first where the stream begins,
// then each event. It ends with ctx, with send's error, or with store.ErrCursor
// for a cursor, or a reader, that is too far behind.
func (s *Server) follow(ctx context.Context, after string, send func(*contactsv1.WatchEventsResponse) error) error {
	changes, cancel := s.watchPresence()
	defer cancel()
	moving, cancelFiles := s.watchFiles()
	defer cancelFiles()
	cursor, err := s.begin(after)
	if err != nil {
		return err
	}
	if err := send(&contactsv1.WatchEventsResponse{Cursor: cursorText(cursor)}); err != nil {
		return err
	}
	for {
		emitted := s.node.DB.Emitted()
		entries, err := s.node.DB.Events(cursor, eventBatch)
		if err != nil {
			return err
		}
		for _, e := range entries {
			cursor = e.Cursor
			if err := send(&contactsv1.WatchEventsResponse{Event: eventOf(e), Cursor: cursorText(cursor)}); err != nil {
				return err
			}
		}
		if len(entries) > 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-emitted:
		case <-moving.wake:
			for _, id := range moving.take() {
				e, err := s.progress(id)
				if err != nil {
					return err
				}
				if err := send(&contactsv1.WatchEventsResponse{Event: e, Cursor: cursorText(cursor)}); err != nil {
					return err
				}
			}
		case <-changes.wake:
			for _, c := range changes.take() {
				e := &contactsv1.Event{Type: presenceChanged, At: timestamppb.New(time.Now()), Contact: c.peer.String(), Presence: presenceOf(c.presence)}
				if err := send(&contactsv1.WatchEventsResponse{Event: e, Cursor: cursorText(cursor)}); err != nil {
					return err
				}
			}
		}
	}
}

// begin returns the cursor at which a stream begins: the newest for "".
func (s *Server) begin(after string) (uint64, error) {
	if after == "" {
		return s.node.DB.Cursor()
	}
	cursor, err := parseCursor("after", after)
	if err != nil {
		return 0, err
	}
	// One event is read to learn whether the journal goes back so far, before the
	// stream is opened.
	if _, err := s.node.DB.Events(cursor, 1); err != nil {
		return 0, err
	}
	return cursor, nil
}
