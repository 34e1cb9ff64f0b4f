package server

import (
	"context"
	"slices"
	"strconv"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

type asks struct{ *Server }

// kindContact is the one kind of request there is.
const kindContact = "contact"

func (s asks) ListRequests(_ context.Context, req *contactsv1.ListRequestsRequest) (*contactsv1.ListRequestsResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"", "in", "out"}, req.Direction) {
		return nil, invalid("direction", "unknown direction %q: use in or out", clip(req.Direction))
	}
	list, err := s.node.Relation.Requests(req.Direction != "out")
	if err != nil {
		return nil, err
	}
	from, err := resumeRequests(list, req.PageToken)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListRequestsResponse{Total: uint32(len(list))}
	page := list[from:min(from+size, len(list))]
	for _, one := range page {
		r.Requests = append(r.Requests, requestOf(one))
	}
	if next := from + len(page); next < len(list) {
		r.NextPageToken = strconv.Itoa(next) + ":" + page[len(page)-1].ID
	}
	return r, nil
}

// resumeRequests returns where in list the page of token begins: after the request
// that it names, or, when that is answered, at the place where it was.
func resumeRequests(list []relation.Request, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	place, id, ok := strings.Cut(token, ":")
	next, err := strconv.Atoi(place)
	if !ok || err != nil || next < 1 || id == "" {
		return 0, invalid("page_token", "not from a page of this list")
	}
	if i := slices.IndexFunc(list, func(r relation.Request) bool { return r.ID == id }); i >= 0 {
		return i + 1, nil
	}
	return min(next-1, len(list)), nil
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
	results := make([]*contactsv1.Result, 0, len(items))
	for i, item := range items {
		r := &contactsv1.Result{Item: item, Ok: errs[i] == nil}
		if !r.Ok {
			r.Error = textOf(explainer{s.Server}.explain("AnswerRequests", errs[i]))
		}
		results = append(results, r)
	}
	return &contactsv1.AnswerRequestsResponse{Results: results}, nil
}

func answerOf(req *contactsv1.AnswerRequestsRequest) (a relation.Answer, err error) {
	if n := len(req.Requests); n > maxBatch {
		return a, &contact.LimitError{Field: "requests", Got: n, Limit: maxBatch, Unit: "items"}
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
