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

// addDial is how long adding with an address waits for the device to answer.
const addDial = 2 * time.Second

func (s contacts) AddContact(ctx context.Context, req *contactsv1.AddContactRequest) (*contactsv1.AddContactResponse, error) {
	add, err := addition(req)
	if err != nil {
		return nil, err
	}
	if err := s.node.Relation.Check(add); err != nil {
		return nil, err
	}
	for _, at := range add.Addresses {
		if err := s.try(ctx, add.Peer, at); err != nil {
			return nil, err
		}
	}
	c, _, err := s.node.Relation.Add(add.Peer, add.AddOptions)
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

func (s contacts) AddContacts(_ context.Context, req *contactsv1.AddContactsRequest) (*contactsv1.AddContactsResponse, error) {
	items := make([]string, 0, len(req.Contacts))
	for _, c := range req.Contacts {
		items = append(items, c.GetOdid())
	}
	results, err := together(s, "AddContacts", items, func(i int) (relation.Addition, error) {
		add, err := addition(req.Contacts[i])
		if err == nil && len(add.Addresses) > 0 {
			err = invalid("at", "not in a batch: use AddContact") // it dials
		}
		return add, err
	}, s.node.Relation.AddAll)
	return &contactsv1.AddContactsResponse{Results: results}, err
}

// addition reads what is to be added.
func addition(req *contactsv1.AddContactRequest) (relation.Addition, error) {
	peer, err := contact.ParseODID(req.GetOdid())
	add := relation.Addition{Peer: peer, AddOptions: relation.AddOptions{
		Remark: req.GetRemark(), OneWay: req.GetOneWay(), Source: relation.Source(req.GetSource()), App: req.GetApp(),
		Wording: req.GetWording(),
	}}
	if err != nil {
		return add, err
	}
	if add.Ask, err = contact.ParsePermissions(req.GetAsk()...); err != nil {
		return add, invalid("ask", "%v", err)
	}
	if req.GetAt() != "" {
		add.Addresses = []transport.Address{transport.Address(req.GetAt())}
	}
	return add, nil
}
