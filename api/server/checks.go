package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/check"
	"contactsd/contact"
	"contactsd/relation"
)

type checks struct{ *Server }

func (s checks) CheckContacts(ctx context.Context, req *contactsv1.CheckContactsRequest) (*contactsv1.CheckContactsResponse, error) {
	if len(req.Contacts) > maxBatch {
		return nil, &contact.LimitError{Field: "contacts", Got: len(req.Contacts), Limit: maxBatch, Unit: "items"}
	}
	if req.Live && !req.Both {
		return nil, invalid("live", "one-way: use both")
	}
	opt := check.Options{Question: contact.QuestionListed, Both: req.Both, Live: req.Live}
	if req.Block {
		opt.Question = contact.QuestionBlocked
	}
	out := make([]*contactsv1.Check, 0, len(req.Contacts))
	var asked []*contactsv1.Check // those of out that have a device
	var peers []contact.ODID
	for _, item := range req.Contacts {
		c := &contactsv1.Check{Item: item}
		out = append(out, c)
		peer, err := s.checked(item)
		if err != nil {
			c.Error = textOf(explainer{s.Server}.explain("CheckContacts", err))
			continue
		}
		c.Ok, c.Odid = true, peer.String()
		asked, peers = append(asked, c), append(peers, peer)
	}
	results, err := s.node.Check.Check(ctx, peers, opt)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		c := asked[i]
		c.Result, c.Source, c.AsOf, c.Note = r.Check.String(), string(r.Source), stamp(r.AsOf), r.Note
	}
	return &contactsv1.CheckContactsResponse{Results: out}, nil
}

// checked returns the device that an item names: a contact, or any by its ODID.
func (s checks) checked(item string) (contact.ODID, error) {
	peer, err := contact.ParseODID(item)
	if err != nil {
		c, err := s.node.Relation.Resolve(item)
		return c.ODID, err
	}
	if peer == s.node.Identity.Self() {
		return peer, relation.ErrSelf
	}
	return peer, nil
}
