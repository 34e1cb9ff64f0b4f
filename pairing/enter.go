package pairing

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"contactsd/contact"
	"contactsd/identity"
)

// entering is the side of E in one session.
type entering struct {
	*line
	id     *identity.Identity
	name   string
	allow  contact.Permissions
	secret *shownCode         // what the user entered
	commit func(Result) error // durable, before ACK
}

// run returns when the pairing is committed here and acknowledged. A failed ACK
// is no error: S learns it from E's statement.
func (e *entering) run() (Result, error) {
	h := hello{version: version1, suite: suite1, kind: kindCode, nonce: make([]byte, nonceSize)}
	allowed := uint8(rounds)
	if e.secret.link != nil {
		h.kind, allowed = kindLink, 1
	}
	rand.Read(h.nonce)
	// A device that is busy refuses without reading, so an error here says less
	// than what it wrote.
	sent := e.send(typeHello, h.encode())
	for round := uint8(1); ; round++ {
		t, body, err := e.recv(maxBody, typeOffer, typeReject)
		switch {
		case err != nil:
			return Result{}, cut(errors.Join(sent, err), round == 1)
		case t == typeReject:
			return Result{}, e.refused(body)
		}
		p, err := e.round(h, round, body)
		if err != nil {
			return Result{}, err
		}
		t, body, err = e.recv(maxBody, typeConfirm, typeReject)
		switch {
		case err != nil:
			return Result{}, cut(err, false)
		case t == typeConfirm:
			return e.seal(p, body)
		}
		r, err := parseReject(body)
		if err != nil {
			return Result{}, err
		}
		if r.reason != reasonCode || !r.more {
			return Result{}, e.reason(r.reason)
		}
		if round == allowed {
			return Result{}, fmt.Errorf("%w: more than %d rounds", errFrame, allowed)
		}
	}
}

// cutError: S ended the session without a word before it has confirmed
// anything. It shows no code any more, or is gone.
type cutError struct {
	early bool // before the first OFFER
	err   error
}

func (e *cutError) Error() string { return "session cut off: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }

func cut(err error, early bool) error {
	if broken(err) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &cutError{early, err}
}

func (e *entering) refused(body []byte) error {
	r, err := parseReject(body)
	if err != nil {
		return err
	}
	return e.reason(r.reason)
}

// reason returns what the user is told of a REJECT.
func (e *entering) reason(r reason) error {
	switch r {
	case reasonBusy:
		return ErrBusy
	case reasonLimit:
		return &LimitedError{}
	case reasonVersion, reasonKind, reasonNameplate:
		return ErrIncompatible
	}
	if e.secret.link != nil {
		return ErrWrongLink
	}
	return ErrWrongCode
}

// round proves the code once. It tells whoever answers nothing but whether its
// own one guess of the code was right.
func (e *entering) round(h hello, round uint8, body []byte) (proven, error) {
	o, err := parseOffer(body)
	if err != nil {
		return proven{}, err
	}
	if o.round != round {
		return proven{}, fmt.Errorf("%w: OFFER for round %d in round %d", errFrame, o.round, round)
	}
	sid := sessionID(h.nonce, o.nonce, round)
	own, err := newShare(e.secret.prs(), channelIdentifier(h, e.st.Peer(), e.id.Self()), sid)
	if err != nil {
		return proven{}, err
	}
	defer own.forget()
	k, err := own.agree(o.share)
	if err != nil {
		return proven{}, err
	}
	defer clear(k)
	key := isk(sid, k, o.share, Shows.ad(), own.Y, Enters.ad())
	tag := confirmation(sid, key, own.Y, Enters.ad())
	if err := e.send(typeProve, prove{round, own.Y, tag}.encode()); err != nil {
		return proven{}, err
	}
	return proven{sid, key, confirmation(sid, key, o.share, Shows.ad()), e.said}, nil
}

// seal checks that S holds the same key, runs the Noise handshake, commits, and
// acknowledges.
func (e *entering) seal(p proven, body []byte) (Result, error) {
	defer clear(p.isk)
	peer := e.st.Peer()
	c, err := parseConfirm(body)
	if err != nil {
		return Result{}, err
	}
	if !hmac.Equal(c.tag, p.tag) {
		return Result{}, fmt.Errorf("%w: the tag of S", errPayload)
	}
	psk, err := derivePSK(p.isk, p.sid)
	if err != nil {
		return Result{}, err
	}
	defer clear(psk)
	hs, err := newHandshake(Enters, psk, prologue(p.said, p.tag, peer, e.id.Self()))
	if err != nil {
		return Result{}, err
	}
	if empty, _, _, err := hs.ReadMessage(nil, c.noise); err != nil || len(empty) > 0 {
		return Result{}, fmt.Errorf("%w: first Noise message", errPayload)
	}
	r := Result{Peer: peer, Role: Enters, Grants: contact.PairedDefault | e.allow, Allow: e.allow}
	mine, err := hs.introduce(e.id, e.name, r.Grants)
	if err != nil {
		return Result{}, err
	}
	second, _, _, err := hs.WriteMessage(nil, mine)
	if err != nil {
		return Result{}, err
	}
	if err := e.send(typeNoise2, second); err != nil {
		return Result{}, err
	}
	if _, body, err = e.recv(maxBodyAfter, typeNoise3); err != nil {
		return Result{}, err
	}
	theirs, _, acks, err := hs.ReadMessage(nil, body)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %v", errPayload, err)
	}
	them, err := hs.introduced(peer, theirs)
	if err != nil {
		return Result{}, err
	}
	r.Name, r.Offered = them.Name, them.Permissions
	if r.PairID, r.Secret, err = hs.outcome(p.isk); err != nil {
		return Result{}, err
	}
	if err := e.commit(r); err != nil {
		return Result{}, &commitError{err}
	}
	if ack, err := acks.Encrypt(nil, nil, nil); err == nil {
		_ = e.send(typeAck, ack)
	}
	return r, nil
}

// commitError is a failure of this device's own disk or rules: no other device
// is tried after it.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit pairing: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }
