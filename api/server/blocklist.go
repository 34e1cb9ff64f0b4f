package server

import (
	"context"
	"strconv"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

type blocklist struct{ *Server }

func (s blocklist) ListBlocked(_ context.Context, req *contactsv1.ListBlockedRequest) (*contactsv1.ListBlockedResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	after, err := blockedAfter(req.PageToken)
	if err != nil {
		return nil, err
	}
	page, total, err := s.node.Relation.Blocklist(after, size+1) // one more tells whether there is another page
	if err != nil {
		return nil, err
	}
	out := &contactsv1.ListBlockedResponse{Total: uint32(total), Limit: uint32(s.node.Policy().MaxBlocked)}
	if len(page) > size {
		page = page[:size]
		last := page[size-1]
		out.NextPageToken = blockedToken(relation.BlockedAfter{At: last.At, ODID: last.ODID})
	}
	for _, b := range page {
		out.Blocked = append(out.Blocked, &contactsv1.BlockedDevice{
			Odid: b.ODID.String(), Name: b.Name, Remark: b.Remark, BlockedAt: stamp(b.At), Contact: b.KeepsContact, Reported: b.Reported,
		})
	}
	return out, nil
}

// A page token of the blocklist is the last entry of the page before: its time in
// Unix milliseconds and its ODID.
func blockedToken(a relation.BlockedAfter) string {
	return strconv.FormatInt(a.At.UnixMilli(), 10) + ":" + a.ODID.String()
}

func blockedAfter(token string) (relation.BlockedAfter, error) {
	if token == "" {
		return relation.BlockedAfter{}, nil
	}
	at, id, _ := strings.Cut(token, ":")
	ms, err := strconv.ParseInt(at, 10, 64)
	peer, perr := contact.ParseODID(id)
	if err != nil || perr != nil {
		return relation.BlockedAfter{}, invalid("page_token", "not from a page of this list")
	}
	return relation.BlockedAfter{At: time.UnixMilli(ms), ODID: peer}, nil
}
