package pairing

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
)

// showing is the side of S in one session. What it needs of its device it is
// handed, so that the session itself can be tested alone.
type showing struct {
	*line
	id    *identity.Identity
	name  string
	allow contact.Permissions

	candidates func(kind uint8) ([]*shownCode, error) // called once, when HELLO arrives
	debit      func(*shownCode) error                 // before a guess is looked at
	failed     func(*shownCode)                       // after a wrong guess
	use        func(*shownCode) bool                  // of those that prove a code, one wins
	stage      func(Result) error                     // durable, before message 6
	proving    func(bool) (placed bool)               // a guess is being looked at
}

// refusal ends a session with a REJECT.
type refusal struct{ reason reason }

func (r refusal) Error() string { return fmt.Sprintf("refused, reason %d", r.reason) }

// errNothingShown: the window is open, but no code is live. It looks as if it
// were closed.
var errNothingShown = errors.New("no code on display")

// run returns the staged result when E has acknowledged it.
func (s *showing) run() (Result, error) {
	_, body, err := s.recv(maxBody, typeHello)
	if err != nil {
		return Result{}, err
	}
	h, err := parseHello(body)
	if err != nil {
		return Result{}, err
	}
	switch {
	case h.version != version1 || h.suite != suite1:
		return Result{}, refusal{reasonVersion}
	case h.kind != kindCode && h.kind != kindLink:
		return Result{}, refusal{reasonKind}
	case h.nameplate != "":
		return Result{}, refusal{reasonNameplate}
	}
	codes, err := s.candidates(h.kind)
	if err != nil {
		return Result{}, err
	}
	for i, code := range codes {
		ok, err := s.round(h, uint8(i+1), code)
		if err != nil {
			return Result{}, err
		}
		if ok != nil {
			return s.seal(*ok)
		}
		s.failed(code)
		s.proving(false)
		if i+1 < len(codes) {
			if err := s.send(typeReject, reject{reasonCode, true}.encode()); err != nil {
				return Result{}, err
			}
		}
	}
	return Result{}, refusal{reasonCode}
}

// proven is what both hold once E has proven the code.
type proven struct {
	sid, isk []byte
	tag      []byte // that S proves itself with
	said     []byte // the frames so far
}

// round lets E guess once. It returns nil for a wrong guess.
func (s *showing) round(h hello, round uint8, code *shownCode) (*proven, error) {
	peer := s.st.Peer()
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	sid := sessionID(h.nonce, nonce, round)
	own, err := newShare(code.prs(), channelIdentifier(h, s.id.Self(), peer), sid)
	if err != nil {
		return nil, err
	}
	defer own.forget()
	if err := s.send(typeOffer, offer{round, nonce, own.Y}.encode()); err != nil {
		return nil, err
	}
	_, body, err := s.recv(maxBody, typeProve)
	if err != nil {
		return nil, err
	}
	p, err := parseProve(body)
	if err != nil {
		return nil, err
	}
	if p.round != round {
		return nil, fmt.Errorf("%w: PROVE for round %d in round %d", errFrame, p.round, round)
	}
	k, err := own.agree(p.share)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	if !s.proving(true) {
		return nil, refusal{reasonBusy}
	}
	if err := s.debit(code); err != nil {
		if errors.Is(err, ErrLimited) {
			s.failed(code)
			return nil, refusal{reasonLimit}
		}
		if errors.Is(err, errPace) {
			return nil, refusal{reasonBusy}
		}
		return nil, err
	}
	key := isk(sid, k, own.Y, Shows.ad(), p.share, Enters.ad())
	if !hmac.Equal(p.tag, confirmation(sid, key, p.share, Enters.ad())) || !s.use(code) {
		clear(key)
		return nil, nil
	}
	return &proven{sid, key, confirmation(sid, key, own.Y, Shows.ad()), s.said}, nil
}

// seal runs the Noise handshake and stages what comes of it.
func (s *showing) seal(p proven) (Result, error) {
	defer clear(p.isk)
	peer := s.st.Peer()
	psk, err := derivePSK(p.isk, p.sid)
	if err != nil {
		return Result{}, err
	}
	defer clear(psk)
	hs, err := newHandshake(Shows, psk, prologue(p.said, p.tag, s.id.Self(), peer))
	if err != nil {
		return Result{}, err
	}
	first, _, _, err := hs.WriteMessage(nil, nil)
	if err != nil {
		return Result{}, err
	}
	if err := s.send(typeConfirm, confirm{p.tag, first}.encode()); err != nil {
		return Result{}, err
	}
	_, body, err := s.recv(maxBodyAfter, typeNoise2)
	if err != nil {
		return Result{}, err
	}
	theirs, _, _, err := hs.ReadMessage(nil, body)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %v", errPayload, err)
	}
	them, err := hs.introduced(peer, theirs)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Peer:    peer,
		Name:    them.Name,
		Role:    Shows,
		Grants:  contact.PairedDefault | s.allow,
		Allow:   s.allow,
		Offered: them.Permissions,
	}
	mine, err := hs.introduce(s.id, s.name, r.Grants)
	if err != nil {
		return Result{}, err
	}
	third, _, acks, err := hs.WriteMessage(nil, mine)
	if err != nil {
		return Result{}, err
	}
	if r.PairID, r.Secret, err = hs.outcome(p.isk); err != nil {
		return Result{}, err
	}
	if err := s.stage(r); err != nil {
		return Result{}, err
	}
	if err := s.send(typeNoise3, third); err != nil {
		return Result{}, err
	}
	_, body, err = s.recv(maxBodyAfter, typeAck)
	if err != nil {
		return Result{}, err
	}
	if empty, err := acks.Decrypt(nil, nil, body); err != nil || len(empty) > 0 {
		return Result{}, fmt.Errorf("%w: ACK", errPayload)
	}
	return r, nil
}

// Handle serves one stream of a device that wants to enter the code. Outside of
// a window the stream is reset at once.
func (s *Service) Handle(ctx context.Context, st transport.Stream, d contact.Decision) {
	w := s.openWindow()
	if d != contact.Serve || w == nil {
		st.Reset()
		return
	}
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	l := newLine(st)
	if !s.attends(w, st) {
		s.shown[OutcomeBusy].Add(1)
		s.refuse(l, reasonBusy)
		return
	}
	ctx, cancel := context.WithDeadline(ctx, l.ends)
	defer cancel()
	place := s.admit(w, st, cancel)
	if place == nil {
		s.shown[OutcomeBusy].Add(1)
		s.refuse(l, reasonBusy)
		return
	}
	defer s.leave(place)
	s.mu.Lock()
	allow := w.allow
	s.mu.Unlock()
	var debits []debited
	side := &showing{
		line:  l,
		id:    s.cfg.Identity,
		name:  s.cfg.Name(),
		allow: allow,
		candidates: func(kind uint8) ([]*shownCode, error) {
			codes, err := s.candidates(w, kind)
			return codes, ours(err)
		},
		failed:  func(c *shownCode) { s.failed(w, st, c) },
		use:     func(c *shownCode) bool { return s.use(w, c) },
		stage:   func(r Result) error { return ours(s.stage(w, r, debits)) },
		proving: func(is bool) bool { return s.proving(place, is) },
		debit: func(c *shownCode) error {
			d, err := s.debit(ctx, place, c)
			if err == nil && c.link == nil {
				debits = append(debits, d)
			}
			return ours(err)
		},
	}
	r, err := side.run()
	if err == nil {
		err = ours(s.cfg.DB.Update(func(tx *store.Tx) error {
			_, err := s.CommitStaged(tx, r.Peer, r.PairID)
			return err
		}))
	}
	outcome := showed(err)
	s.shown[outcome].Add(1)
	refused, ok := errors.AsType[refusal](err)
	switch {
	case err == nil:
		st.Close()
	case ok:
		s.refuse(l, refused.reason)
	default:
		st.Reset()
	}
	if err != nil {
		s.log.Debug("pairing: session ended", "peer", st.Peer().Short(), "outcome", outcome, "err", err)
	}
}

// refuse ends a session with words.
func (s *Service) refuse(l *line, why reason) {
	if err := l.send(typeReject, reject{reason: why}.encode()); err != nil {
		l.st.Reset()
		return
	}
	l.st.SetDeadline(time.Now().Add(messageTimeout))
	l.st.Close()
}
