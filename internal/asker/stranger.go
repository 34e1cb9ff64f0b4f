package asker

import (
	"bytes"
	"context"
	"errors"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/stamp"
	"contactsd/transport"
)

// Frame is the part of relation's frames that is about the ask of a stranger.
type Frame struct {
	Mine      *contact.Signed  `cbor:"1,keyasint,omitempty"`
	Name      string           `cbor:"5,keyasint,omitempty"`
	Later     bool             `cbor:"6,keyasint,omitempty"`
	Challenge *stamp.Challenge `cbor:"11,keyasint,omitempty"`
	Stamps    *stamp.Proof     `cbor:"12,keyasint,omitempty"`
	Receipt   *contact.Receipt `cbor:"13,keyasint,omitempty"`
}

// Stranger is a device that asks, and says with its ask what it likes.
type Stranger struct {
	id  *identity.Identity
	seq uint64
}

// New returns the nth stranger.
func New(n uint32) (*Stranger, error) {
	id, err := stranger(n)
	return &Stranger{id: id}, err
}

// Self returns its ODID.
func (s *Stranger) Self() contact.ODID { return s.id.Self() }

// Say opens an exchange on st with the device to: it asks, nil for nothing, with what
// f says beside, and returns what it hears.
func (s *Stranger) Say(st transport.Stream, to contact.ODID, ask *contact.Ask, f Frame) (heard Frame, err error) {
	if f.Mine, err = s.sign(to, ask); err != nil {
		return heard, err
	}
	if err := transport.WriteFrame(st, f, maxFrame); err != nil {
		return heard, err
	}
	err = transport.NewFrameReader(st, maxFrame).Read(&heard)
	return heard, err
}

// Call is Say to the device of r, without a network.
func (s *Stranger) Call(ctx context.Context, r *relation.Service, to contact.ODID, ask *contact.Ask, f Frame) (heard Frame, err error) {
	if f.Mine, err = s.sign(to, ask); err != nil {
		return heard, err
	}
	var opening, answer bytes.Buffer
	if err := transport.WriteFrame(&opening, f, maxFrame); err != nil {
		return heard, err
	}
	r.Handle(ctx, &stream{in: &opening, heard: &answer, peer: s.Self()}, contact.ServeStranger)
	if answer.Len() == 0 {
		return heard, errors.New("the request was not acknowledged")
	}
	err = transport.NewFrameReader(&answer, maxFrame).Read(&heard)
	return heard, err
}

func (s *Stranger) sign(to contact.ODID, ask *contact.Ask) (*contact.Signed, error) {
	s.seq++
	signed, err := s.id.SignStatement(contact.Statement{Author: s.Self(), Subject: to, Seq: s.seq, Listed: true, Grants: contact.AddedDefault, Ask: ask})
	return &signed, err
}

// Stamp makes the stamps that c wants for an ask of the device to.
func (s *Stranger) Stamp(ctx context.Context, w stamp.Work, to contact.ODID, ask contact.Ask, c *stamp.Challenge) (*stamp.Proof, error) {
	if c == nil {
		return nil, errors.New("no challenge was told")
	}
	d, err := ask.Digest()
	if err != nil {
		return nil, err
	}
	o := stamp.Order{Challenge: *c, Author: s.Self(), Subject: to, Ask: d}
	p := &stamp.Proof{Challenge: *c}
	for i := range c.Count {
		nonce, _, err := o.Make(ctx, w, i)
		if err != nil {
			return nil, err
		}
		p.Nonces = append(p.Nonces, nonce)
	}
	return p, nil
}
