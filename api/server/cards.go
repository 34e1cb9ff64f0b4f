package server

import (
	"context"
	"errors"
	"slices"
	"strconv"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/card"
	"contactsd/contact"
	"contactsd/relation"
	"contactsd/store"
)

type cards struct{ *Server }

func (s cards) GetCard(context.Context, *contactsv1.GetCardRequest) (*contactsv1.GetCardResponse, error) {
	c, err := s.node.Card.Mine()
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetCardResponse{Card: cardOf(c)}, nil
}

func (s cards) SetCard(_ context.Context, req *contactsv1.SetCardRequest) (*contactsv1.SetCardResponse, error) {
	c, err := s.node.Card.Set(card.Change{Phone: req.Phone, Email: req.Email, Address: req.Address, Notes: req.Notes})
	if err != nil {
		return nil, err
	}
	return &contactsv1.SetCardResponse{Card: cardOf(c)}, nil
}

func (s cards) AskCard(_ context.Context, req *contactsv1.AskCardRequest) (*contactsv1.AskCardResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	r, err := s.node.Relation.Cards().Ask(c.ODID, req.Wording)
	if err != nil {
		return nil, err
	}
	return &contactsv1.AskCardResponse{Request: requestOf(r)}, nil
}

func (s cards) CancelCardAsk(_ context.Context, req *contactsv1.CancelCardAskRequest) (*contactsv1.CancelCardAskResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CancelCardAskResponse{}, s.node.Relation.Cards().Cancel(c.ODID)
}

func (s cards) GetContactCard(_ context.Context, req *contactsv1.GetContactCardRequest) (*contactsv1.GetContactCardResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	out := &contactsv1.GetContactCardResponse{Odid: c.ODID.String()}
	switch h, err := s.node.Card.Of(c.ODID); {
	case err == nil:
		out.State, out.Card = "held", heldOf(h, c.Title())
		return out, nil
	case !errors.Is(err, card.ErrNotHeld):
		return nil, err
	}
	out.State, err = s.cardState(c.ODID)
	return out, err
}

// cardState is how it stands with the card of a device, which is not held here.
func (s cards) cardState(peer contact.ODID) (state string, err error) {
	err = s.node.DB.View(func(tx *store.Tx) error {
		v, err := s.node.Relation.Cards().Of(tx, peer)
		switch {
		case v.Granted:
			state = "granted"
		case v.MyAsk == contact.AskOpen:
			state = "pending"
		default:
			state = "none"
		}
		return err
	})
	return state, err
}

func (s cards) ListCards(_ context.Context, req *contactsv1.ListCardsRequest) (*contactsv1.ListCardsResponse, error) {
	list, err := s.node.Card.Held()
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(list, func(h card.Held) string { return h.Owner.String() }, req.PageSize, req.PageToken)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListCardsResponse{NextPageToken: next, Total: uint32(len(list))}
	for _, h := range page {
		c, err := s.node.Relation.Get(h.Owner)
		if err != nil {
			return nil, err
		}
		r.Cards = append(r.Cards, heldOf(h, c.Title()))
	}
	return r, nil
}

func (s cards) ListCardGrants(_ context.Context, req *contactsv1.ListCardGrantsRequest) (*contactsv1.ListCardGrantsResponse, error) {
	list, err := s.node.Relation.Cards().Grants()
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(list, func(g relation.Grant) string { return g.ODID.String() }, req.PageSize, req.PageToken)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListCardGrantsResponse{NextPageToken: next, Total: uint32(len(list))}
	for _, g := range page {
		r.Grants = append(r.Grants, grantOf(g))
	}
	return r, nil
}

func (s cards) RevokeCard(_ context.Context, req *contactsv1.RevokeCardRequest) (*contactsv1.RevokeCardResponse, error) {
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	if err := s.node.Relation.Cards().Revoke(c.ODID); err != nil {
		return nil, err
	}
	list, err := s.node.Relation.Cards().Grants()
	if err != nil {
		return nil, err
	}
	r := &contactsv1.RevokeCardResponse{}
	if i := slices.IndexFunc(list, func(g relation.Grant) bool { return g.ODID == c.ODID }); i >= 0 {
		r.Grant = grantOf(list[i])
	}
	return r, nil
}

func cardOf(c card.Card) *contactsv1.Card {
	return &contactsv1.Card{Phone: c.Phone, Email: c.Email, Address: c.Address, Notes: c.Notes, Revision: strconv.FormatUint(c.Rev, 10)}
}

func heldOf(h card.Held, title string) *contactsv1.HeldCard {
	return &contactsv1.HeldCard{Odid: h.Owner.String(), Name: title, Card: cardOf(h.Card), Since: stamp(h.Since), Until: stamp(h.Until)}
}

func grantOf(g relation.Grant) *contactsv1.CardGrant {
	return &contactsv1.CardGrant{
		Odid: g.ODID.String(), Name: g.Title, State: string(g.State), Since: stamp(g.Since), RevokedAt: stamp(g.Revoked), HiddenBy: stamp(g.HiddenBy),
	}
}

// givesEmptyCard reports whether this device's card is given to somebody and tells
// nothing.
func (s *Server) givesEmptyCard() (bool, error) {
	c, err := s.node.Card.Mine()
	if err != nil || !c.IsEmpty() {
		return false, err
	}
	list, err := s.node.Relation.Cards().Grants()
	return slices.ContainsFunc(list, func(g relation.Grant) bool { return g.Revoked.IsZero() }), err
}
