package desktop

import (
	"cmp"
	"context"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// How long the follower waits before it looks for the daemon again.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// callTimeout bounds a call of the daemon.
const callTimeout = 10 * time.Second

// update is what the follower tells the loop. One of the fields is set.
type update struct {
	state    *state
	presence *contactsv1.Presence // this device's own
	notice   *notice
	over     string // key of what is done elsewhere
}

// follower reads the daemon's events and makes updates of them.
type follower struct {
	client *client.Client
	tell   func(context.Context, update)

	cursor  string // of the last event that was told, "" before the first
	now     state
	offered string // id of the last file that was offered: a message comes with it
}

// run follows the daemon until ctx ends, over its restarts.
func (f *follower) run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		if f.follow(ctx) {
			retry = firstRetry
		}
		if ctx.Err() != nil {
			return
		}
		f.is(ctx, state{})
		late := time.NewTimer(retry)
		select {
		case <-late.C:
		case <-ctx.Done():
			late.Stop()
		}
		retry = min(2*retry, lastRetry)
	}
}

// follow reads events until the daemon is gone, and reports whether it was there.
func (f *follower) follow(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.client.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{After: f.cursor})
	if err != nil {
		return false
	}
	defer stream.Close()
	there := false
	for stream.Receive() {
		m := stream.Msg()
		if !there {
			// The stream stands before the state is read, so nothing falls between.
			if !f.refresh(ctx) {
				return false
			}
			there = true
		}
		if m.Event != nil && m.Event.Cursor != "" {
			f.event(ctx, m.Event)
		}
		f.cursor = m.Cursor
	}
	if client.Reason(stream.Err()) == cursorGone {
		f.cursor = "" // what is too old to be told stays untold
	}
	return there
}

// cursorGone is why a daemon refuses a cursor that is too far behind, or, after its
// store was restored, ahead.
const cursorGone = "cursor"

// refresh reads the state anew and reports whether it could.
func (f *follower) refresh(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status, err := f.client.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
	if err != nil {
		return false
	}
	settings, err := f.client.Device().GetSettings(ctx, &contactsv1.GetSettingsRequest{})
	if err != nil {
		return false
	}
	f.is(ctx, stateOf(status, settings.Settings))
	return true
}

// is notes a state, of which the loop gets a copy.
func (f *follower) is(ctx context.Context, now state) {
	f.now = now
	f.tell(ctx, update{state: &now})
}

// event makes what there is to tell of an event.
func (f *follower) event(ctx context.Context, e *contactsv1.Event) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	subject, verb, _ := strings.Cut(e.Type, ".")
	switch subject {
	case "request":
		if e.State == "in" {
			f.request(ctx, e, verb)
		}
	case "message":
		f.message(ctx, e, verb)
	case "file":
		f.file(ctx, e, verb)
	case "contact":
		if verb == "paired" && f.now.tells(aPairing) {
			f.notice(ctx, pairingNotice(e.Contact, f.title(ctx, e.Contact), f.now.named()))
		}
	case "setting", "presence":
		f.refresh(ctx)
	case "profile":
		if e.Contact == "" {
			f.refresh(ctx)
		}
	}
}

func (f *follower) notice(ctx context.Context, n notice) { f.tell(ctx, update{notice: &n}) }

func (f *follower) over(ctx context.Context, key string) { f.tell(ctx, update{over: key}) }

func (f *follower) request(ctx context.Context, e *contactsv1.Event, verb string) {
	if verb == "received" && e.Detail == "notify" {
		if r := f.waiting(ctx, e.Id); r != nil {
			f.notice(ctx, requestNotice(r, f.now.named()))
		}
	}
	if verb != "received" {
		f.over(ctx, requestKey(e.Id))
	}
	f.refresh(ctx)
}

// maxPage is the most that a list gives at once.
const maxPage = 1000

// waiting returns the request with an id, nil if it does not wait any more.
func (f *follower) waiting(ctx context.Context, id string) *contactsv1.Request {
	list := &contactsv1.ListRequestsRequest{PageSize: maxPage}
	for {
		r, err := f.client.Requests().ListRequests(ctx, list)
		if err != nil {
			return nil
		}
		for _, one := range r.Requests {
			if one.Id == id {
				return one
			}
		}
		if list.PageToken = r.NextPageToken; list.PageToken == "" {
			return nil
		}
	}
}

func (f *follower) message(ctx context.Context, e *contactsv1.Event, verb string) {
	switch {
	case verb == "received" && e.Id == f.offered:
		// The offer of a file, of which there was an event.
	case verb == "received" && f.now.tells(aMessage):
		f.notice(ctx, messageNotice(e.Contact, f.title(ctx, e.Contact), f.now.named()))
	case verb == "state" && e.State == "read":
		f.over(ctx, messageKey(e.Contact))
	}
}

func (f *follower) file(ctx context.Context, e *contactsv1.Event, verb string) {
	switch {
	case verb == "offered":
		f.offered = e.Id
		if e.State != "offered" || !f.now.tells(aFile) {
			return // it is received without asking
		}
		r, err := f.client.Files().GetFile(ctx, &contactsv1.GetFileRequest{Id: e.Id})
		if err == nil && r.File.Direction == "in" && r.File.State == "offered" {
			f.notice(ctx, fileNotice(r.File, f.title(ctx, e.Contact), f.now.named()))
		}
	case e.State != "offered":
		f.over(ctx, fileKey(e.Id))
	}
}

// title returns what a contact is called, fit to be shown.
func (f *follower) title(ctx context.Context, odid string) string {
	r, err := f.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: odid})
	if err != nil {
		return short(odid) // no contact any more
	}
	return foreign(cmp.Or(r.Contact.Remark, r.Contact.Name, short(odid)))
}
