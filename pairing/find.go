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
	confirmTimeout = 5 * time.Second
)

// EnterOptions are the choices of who enters a code.
type EnterOptions struct {
	// At is the device that shows the code and Address where it is. With both
	// zero, devices of the LAN that show a code are tried, at most 3.
	At      contact.ODID
	Address transport.Address
	// Allow is granted to the other device beside contact.PairedDefault.
	Allow contact.Permissions
}

// Enter pairs with the device that shows the code. When it returns nil, both
// devices name the pairing.
//
// Errors: ErrCodeLetters, ErrCodeLength, ErrCodeNameplate for a text that is no
// code; ErrSelf and ErrBlocked before anything is sent; ErrNobody; and of the
// device that was tried, or the most telling one of several, ErrWrongCode,
// *LimitedError, ErrBusy, ErrNoWindow, ErrIncompatible, ErrProtocol,
// ErrUnreachable. With ErrNotConfirmed the pairing is committed and the result is
// valid. Other errors are of ctx, of the address, or of this device's own store.
func (s *Service) Enter(ctx context.Context, code string, opt EnterOptions) (Result, error) {
	digits, err := parseCode(code)
	if err != nil {
		return Result{}, err
	}
	if err := contact.CheckText("name", s.cfg.Name(), contact.MaxNameSize); err != nil {
		return Result{}, err
	}
	var r Result
	if opt.At.IsZero() && opt.Address == "" {
		r, err = s.enterNearby(ctx, digits, opt)
	} else {
		r, err = s.enterAt(ctx, digits, opt)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%v)", ctx.Err(), err)
		}
		return Result{}, err
	}
	s.log.Info("paired", "peer", r.Peer.Short())
	confirming, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	if err := s.cfg.Confirm(confirming, r.Peer, r.PairID); err != nil {
		return r, fmt.Errorf("%w (%v)", ErrNotConfirmed, err)
	}
	return r, nil
}

// enterAt enters the code at the device that the user named.
func (s *Service) enterAt(ctx context.Context, digits string, opt EnterOptions) (Result, error) {
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
	return s.enter(ctx, peer, digits, opt.Allow, addrs...)
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

// enterNearby enters the code at up to 3 devices of the LAN, as they are found.
func (s *Service) enterNearby(ctx context.Context, digits string, opt EnterOptions) (Result, error) {
	if s.cfg.Neighbourhood == nil {
		return Result{}, ErrNobody
	}
	if s.showsItself(digits) {
		return Result{}, ErrSelf
	}
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	found := s.cfg.Neighbourhood.Candidates(looking)
	var failures []error
	patience := time.NewTimer(findTimeout)
	defer patience.Stop()
	for tried := 0; tried < maxDevices; {
		var peer contact.ODID
		select {
		case <-ctx.Done():
			return Result{}, ctx.Err()
		case <-patience.C:
			return Result{}, telling(failures)
		case p, ok := <-found:
			if !ok {
				return Result{}, telling(failures)
			}
			peer = p
		}
		if peer == s.self {
			continue
		}
		err := s.mayEnter(peer)
		if err == nil {
			tried++
			var r Result
			if r, err = s.enter(ctx, peer, digits, opt.Allow); err == nil {
				return r, nil
			}
			if own, ok := errors.AsType[*commitError](err); ok {
				return Result{}, own
			}
		}
		failures = append(failures, err)
		patience.Reset(findMore)
	}
	return Result{}, telling(failures)
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

// enter runs one session with a device. A connection that turns out to be dead,
// as after a restart of the other device, is made anew once.
func (s *Service) enter(ctx context.Context, peer contact.ODID, digits string, allow contact.Permissions, addrs ...transport.Address) (Result, error) {
	for again := true; ; again = false {
		r, err := s.attempt(ctx, peer, digits, allow, addrs...)
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

func (s *Service) attempt(ctx context.Context, peer contact.ODID, digits string, allow contact.Permissions, addrs ...transport.Address) (Result, error) {
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
		digits: digits,
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
	for _, kind := range []error{ErrWrongCode, ErrLimited, ErrBusy, ErrNoWindow, ErrIncompatible, transport.ErrAddress} {
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
