package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// How long a question to another device may take, dialling included.
const (
	fetchTimeout = 10 * time.Second
	shortTimeout = 3 * time.Second // if there is something to show meanwhile
)

// Errors of looking a profile up.
var (
	// ErrNone: nothing is known of the device's profile, and it was not asked.
	ErrNone = errors.New("no profile of this device is known yet: ask for it while the device can be reached")
	// ErrBlocked: the user wants nothing to do with the device.
	ErrBlocked = errors.New("this device is blocked here: unblock it first")
)

// Query says how a profile is looked up.
type Query struct {
	KeptOnly  bool                // ask nobody: what is kept, or ErrNone
	Addresses []transport.Address // where the user says the device is
}

// Of returns the profile of another device, contact or not: from the device
// itself, which may take 10 s, else what is kept of a contact's, else the error
// that says why it can't be had. A stranger's is remembered for some minutes, so
// that looking twice does not ask twice. Errors: ErrNone, ErrBlocked, ErrLater, ErrPrivate,
// ErrMalformed, those of package transport, the context's.
func (s *Service) Of(ctx context.Context, peer contact.ODID, q Query) (Kept, error) {
	if peer == s.cfg.Network.Self() {
		return Kept{Profile: s.Mine(), AsOf: s.cfg.DB.Now(), Live: true}, nil
	}
	kept, known, err := s.known(peer)
	if err != nil {
		return Kept{}, err
	}
	if q.KeptOnly {
		if !known {
			return Kept{}, ErrNone
		}
		return kept, nil
	}
	if known && !kept.Listed && len(q.Addresses) == 0 {
		return kept, nil // fetched a moment ago
	}
	patience := fetchTimeout
	if known {
		patience = shortTimeout
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	live, err := s.look(asking, peer, kept, q.Addresses)
	switch {
	case err == nil:
		return live, nil
	case ctx.Err() != nil:
		return Kept{}, context.Cause(ctx)
	case errors.Is(err, transport.ErrAddress), errors.Is(err, transport.ErrSelf):
		return Kept{}, err
	case known:
		s.log.Debug("profile: not asked, so what is kept is shown", "peer", peer.Short(), "err", err)
		return kept, nil
	case errors.Is(err, context.DeadlineExceeded):
		return Kept{}, fmt.Errorf("%w: no answer within %v", transport.ErrUnreachable, patience)
	}
	return Kept{}, err
}

// known returns what is kept of a contact's profile, or remembered of a stranger's.
// If there is none, ok is false and of k Listed alone counts. The error may be
// ErrBlocked.
func (s *Service) known(peer contact.ODID) (k Kept, ok bool, err error) {
	listed := false
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		v, _, err := s.cfg.Relation(tx, peer)
		if err != nil {
			return err
		}
		if v.Status == contact.StatusBlocked || v.Status == contact.StatusReported {
			return ErrBlocked
		}
		if listed = onList(v); !listed {
			return nil
		}
		row, found, err := kepts.Get(tx, peer[:])
		k, ok = row.kept(), found
		return err
	})
	if err == nil && !listed {
		k, ok = s.looks.get(peer, time.Now())
	}
	k.Listed = listed
	return k, ok, err
}

// listed reports whether this device has peer on its list.
func (s *Service) listed(tx *store.Tx, peer contact.ODID) (bool, error) {
	v, _, err := s.cfg.Relation(tx, peer)
	return onList(v), err
}

func onList(v contact.View) bool {
	return v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming
}

// look asks the device and keeps what it says. kept is what is known already.
func (s *Service) look(ctx context.Context, peer contact.ODID, kept Kept, at []transport.Address) (Kept, error) {
	if err := s.cfg.Addresses.Dial(ctx, peer, at...); err != nil {
		return Kept{}, err
	}
	p, unchanged, err := s.ask(ctx, peer, kept.Rev)
	if err != nil {
		return Kept{}, err
	}
	if unchanged {
		p = kept.Profile
	}
	live := Kept{Profile: p, AsOf: s.cfg.DB.Now(), Live: true, Listed: kept.Listed}
	if !kept.Listed {
		s.looks.put(peer, live, time.Now())
		return live, nil
	}
	return live, s.take(peer, live)
}

// ask asks a device for its profile on a stream of its own. unchanged is true if
// it is the revision held, unless that is 0.
func (s *Service) ask(ctx context.Context, peer contact.ODID, held uint64) (p Profile, unchanged bool, err error) {
	st, err := s.cfg.Network.Open(ctx, peer, Protocol)
	if err != nil {
		return Profile{}, false, err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	a, err := converse(st, held)
	if err != nil {
		_ = st.Reset()
		switch {
		case ctx.Err() != nil:
			return Profile{}, false, context.Cause(ctx)
		case errors.Is(err, transport.ErrFrame):
			return Profile{}, false, fmt.Errorf("%w: %v", ErrMalformed, err)
		}
		// A stream that ends without a word: the device serves this one nothing.
		return Profile{}, false, fmt.Errorf("%w: %v", transport.ErrRefused, err)
	}
	return a.profile(held)
}

func converse(st transport.Stream, held uint64) (a answer, err error) {
	if err := transport.WriteFrame(st, request{Held: held}, maxRequest); err != nil {
		return a, err
	}
	err = transport.NewFrameReader(st, maxAnswer).Read(&a)
	return a, err
}

// freshFor is how long it goes unwritten that a profile is still the same.
const freshFor = time.Hour

// take keeps the profile of a contact, and journals it if it is another one. Of who
// was removed meanwhile nothing is kept.
func (s *Service) take(peer contact.ODID, live Kept) error {
	idle := false
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		row, ok, err := kepts.Get(tx, peer[:])
		was := row.kept()
		idle = ok && was.Rev == live.Rev && same(was.Profile, live.Profile) && live.AsOf.Sub(was.AsOf) < freshFor
		return err
	})
	if err != nil || idle {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		listed, err := s.listed(tx, peer)
		if err != nil || !listed {
			return err
		}
		row, ok, err := kepts.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if err := keep(tx, peer, live); err != nil {
			return err
		}
		if ok && same(row.kept().Profile, live.Profile) {
			return nil
		}
		return tx.Emit(contact.Event{Type: contact.ProfileChanged, At: tx.Now().UnixMilli(), Contact: peer})
	})
}
