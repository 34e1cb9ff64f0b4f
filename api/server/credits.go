package server

import (
	"context"
	"errors"
	"strconv"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

type credits struct{ *Server }

func (s credits) GetCredits(_ context.Context, _ *contactsv1.GetCreditsRequest) (*contactsv1.GetCreditsResponse, error) {
	b, err := s.node.Credit.Balance()
	if err != nil {
		return nil, err
	}
	untrusted, limit, err := s.node.Relation.Untrusted()
	if err != nil {
		return nil, err
	}
	next, _ := b.Standing.Next()
	r := &contactsv1.GetCreditsResponse{
		Balance:        uint32(b.Left),
		Daily:          uint32(b.Daily),
		RefillAt:       stamp(b.Refill),
		Standing:       b.Standing.String(),
		Paired:         uint32(b.Paired),
		NextStandingAt: uint32(next),
		Untrusted:      uint32(untrusted),
		MaxUntrusted:   uint32(limit),
	}
	each := s.node.Relation.Calibrate().Seconds()
	r.StampSeconds = each * float64(int(1)<<contact.DefaultPolicy().Stamps)
	for _, a := range contact.Acts() {
		p := &contactsv1.Price{Act: a.String(), Credits: uint32(a.Price()), Waits: a.Waits(), Stamps: uint32(a.Stamps())}
		p.Seconds = r.StampSeconds * float64(p.Stamps)
		r.Prices = append(r.Prices, p)
	}
	return r, nil
}

func (s credits) ListCharges(_ context.Context, req *contactsv1.ListChargesRequest) (*contactsv1.ListChargesResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	var before uint64
	if req.PageToken != "" {
		if before, err = strconv.ParseUint(req.PageToken, 10, 64); err != nil || before == 0 {
			return nil, invalid("page_token", "not from a page of this list")
		}
	}
	list, err := s.node.Credit.Charges(before, size+1)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListChargesResponse{}
	if len(list) > size {
		list = list[:size]
		r.NextPageToken = strconv.FormatUint(list[size-1].Number, 10)
	}
	for _, c := range list {
		item := &contactsv1.Charge{At: stamp(c.At), Act: c.Act.String(), Odid: c.Peer.String(), Credits: uint32(c.Cost)}
		switch who, err := s.node.Relation.Get(c.Peer); {
		case err == nil:
			item.Name = who.Title()
		case !errors.Is(err, relation.ErrNotFound):
			return nil, err
		}
		r.Charges = append(r.Charges, item)
	}
	return r, nil
}
