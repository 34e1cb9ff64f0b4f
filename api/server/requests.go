package server

import (
	"context"
	"slices"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

type asks struct{ *Server }

// The kinds of requests.
const (
	kindContact = "contact"
	kindCard    = "card"
)

func (s asks) ListRequests(_ context.Context, req *contactsv1.ListRequestsRequest) (*contactsv1.ListRequestsResponse, error) {
	if !slices.Contains([]string{"", "in", "out"}, req.Direction) {
		return nil, invalid("direction", "unknown direction %q: use in or out", clip(req.Direction))
	}
	list, err := s.node.Relation.Requests(req.Direction != "out")
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(list, func(r relation.Request) string { return r.ID }, req.PageSize, req.PageToken)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListRequestsResponse{NextPageToken: next, Total: uint32(len(list))}
	for _, one := range page {
		r.Requests = append(r.Requests, requestOf(one))
	}
	return r, nil
}

func requestOf(r relation.Request) *contactsv1.Request {
	out := &contactsv1.Request{
		Id:          r.ID,
		Odid:        r.ODID.String(),
		Kinds:       []string{kindContact},
		Wording:     r.Wording,
		Permissions: r.Permissions.Names(),
		Name:        r.Title,
		At:          stamp(r.At),
		Direction:   "out",
		State:       "queued",
		Contact:     r.Contact,
	}
	switch {
	case r.Held != contact.Unsuspected:
		out.Direction, out.State = "in", "quarantined"
	case r.Incoming:
		out.Direction, out.State = "in", "waiting"
	case r.Working:
		out.State = "working"
		out.StampsMade, out.Stamps, out.SecondsLeft = uint32(r.Minting.Made), uint32(r.Minting.Count), r.Minting.Left.Seconds()
	case r.Later:
		out.State = "later"
	case r.Told:
		out.State = "sent"
	}
	if r.Kind == relation.KindCard {
		out.Kinds = []string{kindCard}
	}
	return out
}

func (s asks) AnswerRequests(_ context.Context, req *contactsv1.AnswerRequestsRequest) (*contactsv1.AnswerRequestsResponse, error) {
	a, err := answerOf(req)
	if err != nil {
		return nil, err
	}
	items, errs, err := s.node.Relation.Answer(req.Requests, req.All, a)
	if err != nil {
		return nil, err
	}
	out := &contactsv1.AnswerRequestsResponse{Results: s.results("AnswerRequests", items, errs)}
	if a.Response == relation.Accept {
		out.EmptyCard, err = s.givesEmptyCard()
	}
	return out, err
}

func answerOf(req *contactsv1.AnswerRequestsRequest) (a relation.Answer, err error) {
	if err := checkNamed(req.Requests); err != nil {
		return a, err
	}
	if req.All && len(req.Requests) > 0 {
		return a, invalid("all", "requests are named as well")
	}
	switch req.Answer {
	case "accept":
		a.Response = relation.Accept
	case "reject":
		a.Response = relation.Reject
	case "block":
		a.Response = relation.Block
	default:
		return a, invalid("answer", "unknown answer %q: use accept, reject or block", clip(req.Answer))
	}
	switch req.Only {
	case "":
	case kindContact:
		a.Kind = relation.KindContact
	case kindCard:
		a.Kind = relation.KindCard
	default:
		return a, invalid("only", "unknown kind %q: use contact or card", clip(req.Only))
	}
	if len(req.Permissions) == 0 {
		return a, nil
	}
	if a.Only, err = contact.ParsePermissions(req.Permissions...); err != nil {
		return a, invalid("permissions", "%v", err)
	}
	switch {
	case a.Response != relation.Accept:
		return a, invalid("permissions", "only with accept")
	case a.Only == contact.NoPermissions:
		return a, invalid("permissions", "none named")
	}
	return a, nil
}

func (s asks) AskContact(_ context.Context, req *contactsv1.AskContactRequest) (*contactsv1.AskContactResponse, error) {
	want, err := contact.ParsePermissions(req.Permissions...)
	if err != nil {
		return nil, invalid("permissions", "%v", err)
	}
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	r, err := s.node.Relation.Ask(c.ODID, relation.AskOptions{Permissions: want, Wording: req.Wording, OneWay: req.OneWay})
	if err != nil {
		return nil, err
	}
	return &contactsv1.AskContactResponse{Request: requestOf(r)}, nil
}

func (s asks) CancelRequest(_ context.Context, req *contactsv1.CancelRequestRequest) (*contactsv1.CancelRequestResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CancelRequestResponse{}, s.node.Relation.Cancel(c.ODID)
}
