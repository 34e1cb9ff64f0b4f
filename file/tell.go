package file

import (
	"bufio"
	"context"
	"strings"
	"time"
	"unicode"

	"contactsd/contact"
	"contactsd/store"
)

// tell tells the contact where a transfer stands here.
func (s *Service) tell(ctx context.Context, r record) error {
	st, err := s.net.Open(ctx, r.Contact, Protocol)
	if err != nil {
		return err
	}
	defer st.Reset()
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	if err := st.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
		return err
	}
	words := ""
	if r.State == Failed {
		words = fit(r.Note)
	}
	if err := writeRequest(st, request{Type: requestTell, ID: &r.ID, State: r.State, Words: words}); err != nil {
		return err
	}
	if _, err := readHeader(bufio.NewReader(st), blockOK, 0, 0); err != nil {
		return err
	}
	st.Close()
	return s.db.Update(func(tx *store.Tx) error {
		now, err := get(tx, r.ID)
		if err != nil || now.State != r.State {
			return err // it is told again what it is now
		}
		now.Owes = false
		return s.put(tx, now)
	})
}

// told takes what a contact says of a transfer with it.
func (s *Service) told(peer contact.ODID, id ID, state State, words string) error {
	discarded := ""
	err := s.db.Update(func(tx *store.Tx) error {
		discarded = ""
		r, found, err := transferTable.Get(tx, id[:])
		if err != nil || !found || r.Contact != peer {
			return err
		}
		to, note := r.after(state, words)
		if to == r.State {
			tx.OnCommit(func() { s.wake(peer) }) // it may be that it goes on
			return nil
		}
		if r.Direction == In && to.Final() {
			discarded = r.Folder
			if err := dropPages(tx, id); err != nil {
				return err
			}
		}
		r.Owes = false
		if to == Done {
			r.Done = r.Offer.Size
		}
		return s.turn(tx, &r, to, note)
	})
	if err != nil {
		return err
	}
	if discarded != "" {
		s.discard(discarded, id)
	}
	return nil
}

// after is the state of a transfer when the contact says that it is in another one
// there.
func (r record) after(theirs State, words string) (State, string) {
	switch {
	case r.State == Done:
	case r.Direction == Out && theirs == Done:
		return Done, ""
	case r.State.Final():
	case r.Direction == Out && theirs == Rejected:
		return Rejected, ""
	case theirs == Cancelled:
		return Cancelled, "by the contact"
	case theirs == Expired:
		return Expired, noteExpired
	case theirs == Failed:
		return Failed, words
	}
	return r.State, r.Note
}

// oneLine is text without what would break a line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// discard removes what was received of a transfer that is given up. It is no more
// than room that is not freed if it can't.
func (s *Service) discard(folder string, id ID) {
	if folder == "" {
		return
	}
	if err := discard(folder, id); err != nil {
		s.log.Warn("what was received in part can't be removed", "folder", folder, "err", err)
	}
}
