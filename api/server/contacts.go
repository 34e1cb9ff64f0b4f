package server

import (
	"context"
	"errors"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
	"contactsd/transport"
)

type contacts struct{ *Server }

// addDial is how long adding with an address waits for the device to answer.
const addDial = 2 * time.Second

func (s contacts) AddContact(ctx context.Context, req *contactsv1.AddContactRequest) (*contactsv1.AddContactResponse, error) {
	peer, err := contact.ParseODID(req.Odid)
	if err != nil {
		return nil, err
	}
	if err := contact.CheckText("remark", req.Remark, contact.MaxRemarkSize); err != nil {
		return nil, err
	}
	opt := relation.AddOptions{Remark: req.Remark, OneWay: req.OneWay}
	if req.At != "" {
		opt.Addresses = []transport.Address{transport.Address(req.At)}
		if err := s.try(ctx, peer, opt.Addresses[0]); err != nil {
			return nil, err
		}
	}
	c, _, err := s.node.Relation.Add(peer, opt)
	if err != nil {
		return nil, err
	}
	return &contactsv1.AddContactResponse{Contact: s.contact(c)}, nil
}

// try connects to a device that the user gave an address of. That it can't be
// reached now is no error: it is added all the same.
func (s contacts) try(ctx context.Context, peer contact.ODID, at transport.Address) error {
	dialling, cancel := context.WithTimeout(ctx, addDial)
	defer cancel()
	err := s.node.Network.Dial(dialling, peer, at)
	if errors.Is(err, transport.ErrAddress) || errors.Is(err, transport.ErrSelf) {
		return err
	}
	return ctx.Err()
}

// find returns the contact that a request names. A whole ODID, which is what
// programs use, is looked up without going through the list.
func (s *Server) find(text string) (relation.Contact, error) {
	if peer, err := contact.ParseODID(text); err == nil {
		return s.node.Relation.Get(peer)
	}
	return s.node.Relation.Resolve(text)
}

func (s contacts) GetContact(_ context.Context, req *contactsv1.GetContactRequest) (*contactsv1.GetContactResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetContactResponse{Contact: s.contact(c)}, nil
}

func (s contacts) SetContact(_ context.Context, req *contactsv1.SetContactRequest) (*contactsv1.SetContactResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	if req.Remark != nil {
		if err := s.node.Relation.SetRemark(c.ODID, *req.Remark); err != nil {
			return nil, err
		}
		if c, err = s.node.Relation.Get(c.ODID); err != nil {
			return nil, err
		}
	}
	return &contactsv1.SetContactResponse{Contact: s.contact(c)}, nil
}

func (s contacts) GetPermissions(_ context.Context, req *contactsv1.GetPermissionsRequest) (*contactsv1.GetPermissionsResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetPermissionsResponse{Permissions: permissionsOf(c)}, nil
}

func (s contacts) NarrowPermissions(_ context.Context, req *contactsv1.NarrowPermissionsRequest) (*contactsv1.NarrowPermissionsResponse, error) {
	withdraw, err := contact.ParsePermissions(req.Permissions...)
	if err != nil {
		return nil, invalid("permissions", "%v", err)
	}
	if withdraw == contact.NoPermissions {
		return nil, invalid("permissions", "none named")
	}
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	if err := s.node.Relation.Narrow(c.ODID, withdraw); err != nil {
		return nil, err
	}
	if c, err = s.node.Relation.Get(c.ODID); err != nil {
		return nil, err
	}
	return &contactsv1.NarrowPermissionsResponse{Permissions: permissionsOf(c)}, nil
}
