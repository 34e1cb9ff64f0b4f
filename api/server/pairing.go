package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/pairing"
	"contactsd/relation"
	"contactsd/transport"
)

type pairs struct{ *Server }

// settle is how long a pairing may take to show as paired to whoever showed the
// code: the other device's statement follows the pairing at once.
const settle = 5 * time.Second

func (s pairs) ShowCode(ctx context.Context, req *contactsv1.ShowCodeRequest, stream *connect.ServerStream[contactsv1.ShowCodeResponse]) error {
	allow, err := contact.ParsePermissions(req.Permissions...)
	if err != nil {
		return invalid("permissions", "%v", err)
	}
	opt := pairing.ShowOptions{Once: req.Once, Allow: allow, Link: req.Link, NoAddresses: req.NoAddresses}
	if req.Only != "" {
		if opt.Only, err = contact.ParseODID(strings.TrimSpace(req.Only)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	send := func(r *contactsv1.ShowCodeResponse) {
		if err := stream.Send(r); err != nil {
			cancel(err) // nobody looks any more
		}
	}
	opt.Waiting = func(list []pairing.Waiting) {
		send(&contactsv1.ShowCodeResponse{Update: &contactsv1.ShowCodeResponse_Waiting{Waiting: s.waiting(list)}})
	}
	ended, err := s.node.Pairing.Show(ctx, opt, func(shown pairing.Shown) {
		send(&contactsv1.ShowCodeResponse{Update: &contactsv1.ShowCodeResponse_Code{Code: codeOf(shown, time.Now())}})
	})
	if err != nil || !ended.Paired {
		return err
	}
	c, err := s.awaitPaired(ctx, ended.Peer)
	if err != nil {
		return err
	}
	return stream.Send(&contactsv1.ShowCodeResponse{Update: &contactsv1.ShowCodeResponse_Paired{Paired: s.contact(c)}})
}

func codeOf(shown pairing.Shown, now time.Time) *contactsv1.Code {
	c := &contactsv1.Code{
		Code:    shown.Code,
		Digits:  shown.Digits,
		Link:    shown.Link,
		Accepts: shown.Accepts.String(),
	}
	if !shown.ExpiresAt.IsZero() {
		c.ExpiresAt = stamp(shown.ExpiresAt)
		c.SecondsLeft = uint32(max(0, shown.ExpiresAt.Sub(now)) / time.Second)
	}
	c.NextAt = stamp(shown.SwitchesAt)
	switch {
	case shown.Accepts == pairing.SixDigits:
	case shown.ShortAt.IsZero():
		c.Why = "window_limit"
	default:
		c.Why, c.SixDigitsAt = "day_limit", stamp(shown.ShortAt)
	}
	return c
}

func (s pairs) waiting(list []pairing.Waiting) *contactsv1.Waiting {
	w := &contactsv1.Waiting{}
	for _, d := range list {
		item := &contactsv1.WaitingDevice{Odid: d.Peer.String(), WrongCodes: uint32(d.Wrong), At: stamp(d.At), Only: d.Only}
		if c, err := s.node.Relation.Get(d.Peer); err == nil {
			item.Name = c.Title()
		}
		w.Devices = append(w.Devices, item)
	}
	return w
}

func (s pairs) ServeOnly(_ context.Context, req *contactsv1.ServeOnlyRequest) (*contactsv1.ServeOnlyResponse, error) {
	var peer contact.ODID
	if odid := strings.TrimSpace(req.Odid); odid != "" {
		var err error
		if peer, err = contact.ParseODID(odid); err != nil {
			return nil, err
		}
	}
	if err := s.node.Pairing.ServeOnly(peer); err != nil {
		return nil, err
	}
	return &contactsv1.ServeOnlyResponse{}, nil
}

// awaitPaired returns the contact once it shows as paired, or as it is after a while.
func (s pairs) awaitPaired(ctx context.Context, peer contact.ODID) (relation.Contact, error) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		emitted := s.node.DB.Emitted()
		c, err := s.node.Relation.Get(peer)
		if err != nil || c.View.Trust >= contact.Paired {
			return c, err
		}
		select {
		case <-emitted:
		case <-timer.C:
			return c, nil
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}

func (s pairs) EnterCode(ctx context.Context, req *contactsv1.EnterCodeRequest) (*contactsv1.EnterCodeResponse, error) {
	allow, err := contact.ParsePermissions(req.Permissions...)
	if err != nil {
		return nil, invalid("permissions", "%v", err)
	}
	opt := pairing.EnterOptions{Allow: allow}
	if opt.At, opt.Address, err = place(req.At); err != nil {
		return nil, err
	}
	result, err := s.node.Pairing.Enter(ctx, req.Code, opt)
	confirmed := err == nil
	if err != nil && !errors.Is(err, pairing.ErrNotConfirmed) {
		return nil, err
	}
	c, err := s.node.Relation.Get(result.Peer)
	if err != nil {
		return nil, err
	}
	return &contactsv1.EnterCodeResponse{Contact: s.contact(c), Confirmed: confirmed}, nil
}

// place takes apart where the other device is: "", an address, an ODID, or
// ODID@address, which spares asking who is at the address.
func place(at string) (peer contact.ODID, address transport.Address, err error) {
	at = strings.TrimSpace(at)
	who, where, both := strings.Cut(at, "@")
	switch {
	case at == "":
		return peer, "", nil
	case both:
		address = transport.Address(where)
	case strings.ContainsAny(at, "/:"):
		return peer, transport.Address(at), nil
	}
	peer, err = contact.ParseODID(who)
	if errors.Is(err, contact.ErrODIDPrefix) {
		err = invalid("at", "%q is neither an address nor an ODID: use one that contactsctl status lists on the other device", clip(at))
	}
	return peer, address, err
}
