package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
)

// together is how long changes are gathered before they are shown, so that a
// thousand at once are few.
const together = 25 * time.Millisecond

// maxChanged is how many contacts may change at once before the list is read anew.
const maxChanged = 40

// changes are what a browser has to be told. Names of events are of this package:
//
//	sync           everything may have changed: the stream begins
//	contacts       who is on the list
//	groups         which groups there are
//	me             this device
//	contact-ODID   what is shown of a contact, its messages aside
//	message-ODID   its messages
//	profile-ODID   what it tells of its user
//	requests       which requests wait
//	files          which transfers there are
//	file-ID        one of them
//	uploads        what browsers send
type changes struct {
	rows  map[string]bool // ODIDs whose rows are stale
	names map[string]bool
}

func newChanges() changes {
	return changes{make(map[string]bool), make(map[string]bool)}
}

// add notes what an event makes stale.
func (c changes) add(e *contactsv1.Event) {
	subject, _, _ := strings.Cut(e.Type, ".")
	switch {
	case subject == "request", subject == "card":
		c.names["requests"] = true
	case subject == "file":
		c.names["file-"+e.Id] = true
		if e.Type != "file.progress" {
			c.names["files"] = true
		}
	case subject == "message":
		c.names["message-"+e.Contact] = true
	case e.Type == "presence.changed":
		c.rows[e.Contact] = true
		c.names["contact-"+e.Contact] = true
	case subject == "groups":
		c.names["groups"], c.names["contacts"] = true, true
	case subject == "contact":
		c.names["contacts"] = true
		c.names["contact-"+e.Contact] = true
	case subject == "profile" && e.Contact != "":
		c.names["profile-"+e.Contact] = true
	case subject == "profile", subject == "presence":
		c.names["me"] = true
	}
	if len(c.rows) > maxChanged {
		clear(c.rows)
		c.names["contacts"] = true
	}
}

func (c changes) none() bool { return len(c.rows)+len(c.names) == 0 }

// watch follows the daemon's events until ctx ends or end is called. The first one is
// nil and says that the stream stands; the channel is closed when that is over.
func (s *Server) watch(ctx context.Context) (events <-chan *contactsv1.Event, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := s.client.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	out := make(chan *contactsv1.Event)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(out)
		defer stream.Close()
		for stream.Receive() {
			select {
			case out <- stream.Msg().Event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, func() { cancel(); <-ended }, nil
}

// live streams what has changed for as long as the browser listens.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	events, end, err := s.watch(ctx)
	if err != nil {
		http.Error(w, "the daemon does not answer", http.StatusBadGateway)
		return
	}
	defer end()
	moved, leave := s.uploads.watch()
	defer leave()
	out := newStream(w)
	stale := newChanges()
	var show <-chan time.Time
	for {
		select {
		case e, ok := <-events:
			switch {
			case !ok:
				return // the browser comes back by itself
			case e == nil:
				stale.names["sync"] = true
			default:
				stale.add(e)
			}
		case <-moved:
			stale.names["uploads"] = true
		case <-show:
			if s.tell(ctx, out, stale) != nil {
				return
			}
			stale, show = newChanges(), nil
		case <-ctx.Done():
			return
		}
		if show == nil && !stale.none() {
			show = time.After(together)
		}
	}
}

// tell sends the rows that have changed, and the names of what else has.
func (s *Server) tell(ctx context.Context, out *stream, stale changes) error {
	for _, odid := range slices.Sorted(maps.Keys(stale.rows)) {
		r, err := s.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: odid})
		if err != nil {
			continue // removed meanwhile, of which there is an event
		}
		html, err := s.pages.write("row-changed", r.Contact)
		if err != nil {
			return err
		}
		if err := out.swap(string(html)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(stale.names)) {
		if err := out.event(name, "{}"); err != nil {
			return err
		}
	}
	return nil
}
