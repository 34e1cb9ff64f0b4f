package web

import (
	"context"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// When copies are looked at beside events, and again after the daemon did not answer.
const (
	tidyEvery = time.Hour
	tidyAgain = time.Second
)

// keepFailed is how long the copy of a transfer that failed is kept: the contact may
// accept it again, as when there is room on its disk.
const keepFailed = 7 * 24 * time.Hour

// tidy removes the copies that no transfer needs any more, until ctx ends. While there
// are none it asks nothing of the daemon.
func (s *Server) tidy(ctx context.Context) {
	for {
		select {
		case <-s.spool.kick:
		case <-ctx.Done():
			return
		}
		for len(s.spool.kept()) > 0 {
			s.tidyAsTold(ctx)
			select {
			case <-time.After(tidyAgain):
			case <-ctx.Done():
				return
			}
		}
	}
}

// tidyAsTold follows the daemon's events until no copy is left, or they end.
func (s *Server) tidyAsTold(ctx context.Context) {
	events, end, err := s.watch(ctx)
	if err != nil {
		s.log.Debug("page: copies are tidied later", "err", err)
		return
	}
	defer end()
	again := time.NewTicker(tidyEvery)
	defer again.Stop()
	for len(s.spool.kept()) > 0 {
		ids := s.spool.kept()
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			if e != nil { // else the stream stands: what was missed shows now
				ids = []string{e.Id}
			}
		case <-again.C:
		}
		for _, id := range ids {
			if s.spool.holds(id) && s.unneeded(ctx, id) {
				if err := s.spool.remove(id); err != nil {
					s.log.Warn("page: a copy can't be removed", "id", id, "err", err)
				}
			}
		}
	}
}

// unneeded reports whether a transfer is over for good, or was never begun.
func (s *Server) unneeded(ctx context.Context, id string) bool {
	got, err := s.client.Files().GetFile(ctx, &contactsv1.GetFileRequest{Id: id})
	if err != nil {
		return client.Reason(err) == "no_file"
	}
	switch f := got.File; f.State {
	case "done", "rejected", "cancelled", "expired":
		return true
	case "failed":
		return time.Since(f.EndedAt.AsTime()) > keepFailed
	}
	return false
}
