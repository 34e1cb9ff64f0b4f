// Package asker has strangers ask a device for something, without a network: for
// tests and benchmarks that need many who do.
package asker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/transport"
)

// maxFrame is what relation takes.
const maxFrame = 12 << 10

// ODID is that of the nth stranger.
func ODID(n uint32) (contact.ODID, error) {
	id, err := stranger(n)
	if err != nil {
		return contact.ODID{}, err
	}
	return id.Self(), nil
}

func stranger(n uint32) (*identity.Identity, error) {
	var seed [32]byte
	copy(seed[:], "asker")
	binary.BigEndian.PutUint32(seed[8:], n)
	return identity.FromSeed(seed)
}

// Ask opens an exchange of the nth stranger with the device of s, which is self, and
// asks for permissions with a wording, without stamps.
func Ask(ctx context.Context, s *relation.Service, self contact.ODID, n uint32, want contact.Permissions, wording string) error {
	id, err := stranger(n)
	if err != nil {
		return err
	}
	ask := contact.Ask{ID: contact.AskID{1}, Permissions: want, Wording: wording}
	st := contact.Next(id.Self(), self, nil, contact.Marks{}, time.Now()).List(contact.AddedDefault).Propose(ask, false)
	signed, err := id.SignStatement(st)
	if err != nil {
		return err
	}
	var opening bytes.Buffer
	if err := transport.WriteFrame(&opening, Frame{Mine: &signed, Name: fmt.Sprintf("stranger %d", n)}, maxFrame); err != nil {
		return err
	}
	var answer bytes.Buffer
	s.Handle(ctx, &stream{in: &opening, heard: &answer, peer: id.Self()}, contact.ServeStranger)
	if answer.Len() == 0 {
		return errors.New("the request was not acknowledged")
	}
	return nil
}

// stream is an exchange of which one side was said already.
type stream struct {
	in    *bytes.Buffer
	heard *bytes.Buffer
	peer  contact.ODID
}

func (s *stream) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *stream) Write(b []byte) (int, error) { return s.heard.Write(b) }
func (s *stream) Close() error                { return nil }
func (s *stream) CloseWrite() error           { return nil }
func (s *stream) Reset() error                { return nil }
func (s *stream) SetDeadline(time.Time) error { return nil }
func (s *stream) Peer() contact.ODID          { return s.peer }
