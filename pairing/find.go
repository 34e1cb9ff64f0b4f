package pairing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Limits of Enter.
const (
	maxDevices     = 3 // that one code is tried at
	dialTimeout    = 10 * time.Second
	findTimeout    = 5 * time.Second         // for the first device to be found
	findMore       = 1500 * time.Millisecond // for another one, once one refused
	findAll        = 250 * time.Millisecond  // for all that are there, once one was found
	confirmTimeout = 5 * time.Second
)

// EnterOptions are the choices of who enters a code.
type EnterOptions struct {
	// At is the device that shows the code and Address where it is. With both
	// zero, the devices of the LAN that show a code are tried, if they are at most 3.
	At      contact.ODID
	Address transport.Address
	// Allow is granted to the other device beside contact.PairedDefault.
	Allow contact.Permissions
}

// Enter pairs with the device that shows the code or the link. When it returns
// nil, both devices name the pairing.
//
// A link says whom to pair with and may say where; what opt says of either counts
// beside it, and another device in opt.At is ErrLink.
//
// Errors: ErrCodeLetters, ErrCodeLength, ErrCodeNameplate, ErrLink for a text that
// is neither; ErrSelf and ErrBlocked before anything is sent; ErrNobody; *ManyError
// if more devices show a code than it may be tried at; and of the device that was
// tried, or the most telling one of several, ErrWrongCode, ErrWrongLink,
// *LimitedError, ErrBusy, ErrNoWindow, ErrIncompatible, ErrProtocol,
// ErrUnreachable. With ErrNotConfirmed the pairing is committed and the result is
// valid. Other errors are of ctx, of the address, or of this device's own store.
func (s *Service) Enter(ctx context.Context, code string, opt EnterOptions) (Result, error) {
	secret, err := &shownCode{}, error(nil)
	var where []transport.Address
	if isLink(code) {
		l, err := parseLink(code)
		switch {
		case err != nil:
			return Result{}, err
		case !opt.At.IsZero() && opt.At != l.odid:
			return Result{}, fmt.Errorf("%w: it is of another device than the one named", ErrLink)
		}
		opt.At, where, secret.link = l.odid, l.addrs, &l.secret
	} else if secret.digits, err = parseCode(code); err != nil {
		return Result{}, err
	}
	if err := contact.CheckText("name", s.cfg.Name(), contact.MaxNameSize); err != nil {
		return Result{}, err
	}
	var r Result
	switch {
	case secret.link != nil:
		r, err = s.enterLink(ctx, secret, opt, where)
	case opt.At.IsZero() && opt.Address == "":
		r, err = s.enterNearby(ctx, secret, opt)
	default:
		r, err = s.enterAt(ctx, secret, opt)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%v)", ctx.Err(), err)
		}
		return Result{}, err
	}
	s.log.Info("paired", "peer", r.Peer.Short(), "pairing", r.PairID.Short())
	confirming, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	if err := s.cfg.Confirm(confirming, r.Peer, r.PairID); err != nil {
		return r, fmt.Errorf("%w (%v)", ErrNotConfirmed, err)
	}
	return r, nil
}

// enterAt enters the code at the device that the user named.
func (s *Service) enterAt(ctx context.Context, secret *shownCode, opt EnterOptions) (Result, error) {
	peer := opt.At
	if peer.IsZero() {
		dialling, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		var err error
		if peer, err = s.cfg.Addresses.Resolve(dialling, opt.Address); err != nil {
			return Result{}, way(err)
		}
	}
	if err := s.mayEnter(peer); err != nil {
		return Result{}, err
	}
	var addrs []transport.Address
	if opt.Address != "" {
		addrs = append(addrs, opt.Address)
	}
	return s.enter(ctx, peer, secret, opt.Allow, addrs...)
}

// mayEnter returns ErrSelf or ErrBlocked.
func (s *Service) mayEnter(peer contact.ODID) error {
	if peer == s.self {
		return ErrSelf
	}
	var blocked bool
	err := s.cfg.DB.View(func(tx *store.Tx) (err error) {
		blocked, err = s.cfg.Blocked(tx, peer)
		return err
	})
	if err == nil && blocked {
		err = ErrBlocked
	}
	return err
}

// enterLink enters a link at the device that it names: where it says, where the
// user says, or else where this device knows it to be or finds it on the LAN.
func (s *Service) enterLink(ctx context.Context, secret *shownCode, opt EnterOptions, where []transport.Address) (Result, error) {
	if err := s.mayEnter(opt.At); err != nil {
		return Result{}, err
	}
	if opt.Address != "" {
		where = append([]transport.Address{opt.Address}, where...)
	}
	if s.cfg.Neighbourhood == nil {
		return s.enter(ctx, opt.At, secret, opt.Allow, where...)
	}
	// Devices that are found may be dialled, and are, while this goes on.
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	found := s.cfg.Neighbourhood.Candidates(looking)
	if len(where) > 0 || slices.Contains(s.cfg.Network.Connected(), opt.At) {
		r, err := s.enter(ctx, opt.At, secret, opt.Allow, where...)
		elsewhere := errors.Is(err, ErrUnreachable) || errors.Is(err, transport.ErrAddress)
		if !elsewhere || opt.Address != "" {
			return r, err
		}
	}
	await(looking, found, opt.At)
	return s.enter(ctx, opt.At, secret, opt.Allow)
}

// await returns when the device was found, or was not in time.
func await(ctx context.Context, found <-chan contact.ODID, peer contact.ODID) {
	patience := time.NewTimer(findTimeout)
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			return
		case p, ok := <-found:
			if !ok || p == peer {
				return
			}
		}
	}
}

// enterNearby enters the code at devices of the LAN that show one. If there are
// more than 3, it tries none of those that are left and has the user choose: each
// gets a guess at the code, and loses one of its own.
func (s *Service) enterNearby(ctx context.Context, secret *shownCode, opt EnterOptions) (Result, error) {
	if s.cfg.Neighbourhood == nil {
		return Result{}, ErrNobody
	}
	if s.showsItself(secret.digits) {
		return Result{}, ErrSelf
	}
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	found := s.cfg.Neighbourhood.Candidates(looking)
	var known []contact.ODID
	var failures []error
	next := func(wait time.Duration) bool {
		patience := time.NewTimer(wait)
		defer patience.Stop()
		for {
			select {
			case <-ctx.Done():
				return false
			case <-patience.C:
				return false
			case p, ok := <-found:
				if !ok {
					return false
				}
				if p == s.self {
					continue
				}
				if err := s.mayEnter(p); err != nil {
					failures = append(failures, err)
					continue
				}
				known = append(known, p)
				return true
			}
		}
	}
	wait := findTimeout
	for tried := 0; ; tried++ {
		if tried == len(known) {
			if !next(wait) {
				if err := ctx.Err(); err != nil {
					return Result{}, err
				}
				return Result{}, telling(failures)
			}
			for all := time.Now().Add(findAll); next(time.Until(all)); {
			}
		}
		if len(known) > maxDevices {
			return Result{}, &ManyError{Devices: known}
		}
		r, err := s.enter(ctx, known[tried], secret, opt.Allow)
		if err == nil {
			return r, nil
		}
		if own, ok := errors.AsType[*commitError](err); ok {
			return Result{}, own
		}
		failures = append(failures, err)
		wait = findMore
	}
}

// telling picks the failure that tells the user most.
func telling(failures []error) error {
	for _, kind := range []error{ErrWrongCode, ErrLimited, ErrBusy, ErrProtocol, ErrIncompatible, ErrBlocked, ErrNoWindow, ErrUnreachable} {
		for _, err := range failures {
			if errors.Is(err, kind) {
				return err
			}
		}
	}
	if len(failures) > 0 {
		return failures[0]
	}
	return ErrNobody
}

// enter runs one session with a device and counts how it ended.
func (s *Service) enter(ctx context.Context, peer contact.ODID, secret *shownCode, allow contact.Permissions, addrs ...transport.Address) (Result, error) {
	r, err := s.session(ctx, peer, secret, allow, addrs...)
	outcome := entered(err)
	s.entered[outcome].Add(1)
	if err != nil {
		s.log.Debug("pairing: session ended", "peer", peer.Short(), "outcome", outcome, "err", err)
	}
	return r, err
}

// session is enter. A connection that turns out to be dead, as after a restart of
// the other device, is made anew once.
func (s *Service) session(ctx context.Context, peer contact.ODID, secret *shownCode, allow contact.Permissions, addrs ...transport.Address) (Result, error) {
	for again := true; ; again = false {
		r, err := s.attempt(ctx, peer, secret, allow, addrs...)
		c, isCut := errors.AsType[*cutError](err)
		switch {
		case err == nil:
			return r, nil
		case !isCut:
			return Result{}, way(err)
		case slices.Contains(s.cfg.Network.Connected(), peer):
			return Result{}, fmt.Errorf("%w (%v)", ErrNoWindow, err)
		case !again || !c.early:
			return Result{}, fmt.Errorf("%w (%v)", ErrUnreachable, err)
		}
	}
}

func (s *Service) attempt(ctx context.Context, peer contact.ODID, secret *shownCode, allow contact.Permissions, addrs ...transport.Address) (Result, error) {
	dialling, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := s.cfg.Addresses.Dial(dialling, peer, addrs...); err != nil {
		return Result{}, err
	}
	st, err := s.cfg.Network.Open(dialling, peer, Protocol)
	if err != nil {
		return Result{}, err
	}
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	side := &entering{
		line:   newLine(st),
		id:     s.cfg.Identity,
		name:   s.cfg.Name(),
		allow:  allow,
		secret: secret,
		commit: func(r Result) error {
			return s.cfg.DB.Update(func(tx *store.Tx) error { return s.commit(tx, r) })
		},
	}
	r, err := side.run()
	if err != nil {
		st.Reset()
		return Result{}, err
	}
	st.Close()
	return r, nil
}

// way turns an error of the transport or a session into one of Enter's.
func way(err error) error {
	for _, kind := range []error{ErrWrongCode, ErrWrongLink, ErrLimited, ErrBusy, ErrNoWindow, ErrIncompatible, transport.ErrAddress} {
		if errors.Is(err, kind) {
			return err
		}
	}
	if own, ok := errors.AsType[*commitError](err); ok {
		return own
	}
	switch {
	case errors.Is(err, transport.ErrSelf):
		return ErrSelf
	case errors.Is(err, transport.ErrRefused):
		return fmt.Errorf("%w (%v)", ErrNoWindow, err)
	case broken(err):
		return fmt.Errorf("%w (%v)", ErrProtocol, err)
	}
	return fmt.Errorf("%w (%v)", ErrUnreachable, err)
}
