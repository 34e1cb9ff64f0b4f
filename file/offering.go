package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"contactsd/contact"
	"contactsd/store"
)

// Send offers a file, or a folder with all in it, to a contact, and returns at
// once: it is read, offered and sent from then on, whether the contact is there or
// not. path is absolute. The same under the same id returns the transfer as it now
// stands.
//
// The error wraps ErrSource or ErrConflict, or is a *contact.InvalidError.
func (s *Service) Send(to contact.ODID, id ID, path string) (Transfer, error) {
	if !filepath.IsAbs(path) {
		return Transfer{}, &contact.InvalidError{Field: "path", Reason: "not absolute"}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Transfer{}, sourceError(err)
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return Transfer{}, sourceError(err)
	case !info.IsDir() && !info.Mode().IsRegular():
		return Transfer{}, fmt.Errorf("%w: %s: neither a file nor a folder", ErrSource, filepath.Base(path))
	case filepath.Dir(real) == real:
		return Transfer{}, fmt.Errorf("%w: the whole disk; name a folder", ErrSource)
	}
	// A link is offered by its own name.
	name := safeName(filepath.Base(filepath.Clean(path)))
	r := record{
		ID: id, Contact: to, Direction: Out, State: Preparing, Path: real,
		Offer: offer{Name: name, Size: uint64(info.Size()), Type: mediaType(name), Dir: info.IsDir()},
	}
	if r.Offer.Dir {
		r.Offer.Size, r.Offer.Type = 0, ""
	}
	err = s.db.Update(func(tx *store.Tx) error {
		was, found, err := transferTable.Get(tx, id[:])
		if err != nil {
			return err
		}
		if found {
			if was.Contact != to || was.Direction != Out || was.Path != real {
				return fmt.Errorf("%w: send under a new id", ErrConflict)
			}
			r = was
			return nil
		}
		r.At = millis(tx.Now())
		if err := s.put(tx, r); err != nil {
			return err
		}
		return emit(tx, contact.FileState, r)
	})
	if err != nil {
		return Transfer{}, err
	}
	return s.transfer(r), nil
}

// prepare reads what is to be sent, makes its manifest and hands the offer to the
// outbox. It begins anew if it is interrupted.
func (s *Service) prepare(ctx context.Context, r record) error {
	err := s.offer(ctx, &r)
	if err == nil || ctx.Err() != nil || !errors.Is(err, ErrSource) && !errors.Is(err, errOutbox) {
		return err
	}
	return s.db.Update(func(tx *store.Tx) error {
		now, getErr := get(tx, r.ID)
		if getErr != nil || now.State.Final() {
			return getErr
		}
		if err := dropPages(tx, r.ID); err != nil {
			return err
		}
		now.Lost, now.Unsent = true, false
		return s.turn(tx, &now, Failed, fit(err.Error()))
	})
}

// errOutbox: the outbox does not take the offer.
var errOutbox = errors.New("can't be offered")

func (s *Service) offer(ctx context.Context, r *record) error {
	if r.State == Preparing {
		if err := s.makeManifest(ctx, r); err != nil {
			return err
		}
	}
	body, err := r.Offer.encode()
	if err != nil {
		return err
	}
	if err := s.send(r.Contact, r.ID, body); err != nil {
		return fmt.Errorf("%w: %w", errOutbox, err)
	}
	return s.db.Update(func(tx *store.Tx) error {
		now, err := get(tx, r.ID)
		if err != nil {
			return err
		}
		now.Unsent = false
		return s.put(tx, now)
	})
}

func (s *Service) makeManifest(ctx context.Context, r *record) error {
	m := newManifest(func(pages []savedPage) error { return s.savePages(r.ID, pages) })
	if err := m.scan(ctx, r.Path, r.Offer.Dir); err != nil {
		return err
	}
	root, err := m.end()
	if err != nil {
		return err
	}
	note := ""
	if m.left > 0 {
		note = fmt.Sprintf("without %d links and other things that are no files", m.left)
	}
	return s.db.Update(func(tx *store.Tx) error {
		now, err := get(tx, r.ID)
		if err != nil {
			return err
		}
		if now.State != Preparing {
			return fmt.Errorf("%w: it is %s", ErrState, now.State)
		}
		now.Offer.Size, now.Offer.Files, now.Offer.Root, now.Offer.Lists = m.size, m.files, root, uint64(len(m.index.lists))
		now.Unsent = true
		*r = now
		return s.turn(tx, r, Offered, note)
	})
}

// Received takes the offer in a message, in the transaction that stores it; it is
// accepted at once if the user's policy says so. An offer that breaks a limit is logged and remains a message.
func (s *Service) Received(tx *store.Tx, from contact.ODID, id ID, body []byte) error {
	o, err := parseOffer(body)
	if err != nil {
		s.log.Warn("an offer of a file can't be taken", "peer", from.Short(), "err", err)
		return nil
	}
	_, found, err := transferTable.Get(tx, id[:])
	if err != nil || found {
		return err
	}
	r := record{ID: id, Contact: from, Direction: In, State: Offered, Offer: o, At: millis(tx.Now())}
	v, known, err := s.relation(tx, from)
	if err != nil {
		return err
	}
	if folder := s.usual(); known && folder != "" && s.policy().TakesFile(v, o.Size, o.kind()) {
		r.State, r.Folder = Active, folder
	}
	if err := s.put(tx, r); err != nil {
		return err
	}
	return emit(tx, contact.FileOffered, r)
}
