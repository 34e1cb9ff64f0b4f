package server

import (
	"context"
	"strconv"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/profile"
	"contactsd/transport"
)

type profiles struct{ *Server }

func (s profiles) GetProfile(context.Context, *contactsv1.GetProfileRequest) (*contactsv1.GetProfileResponse, error) {
	return &contactsv1.GetProfileResponse{Profile: s.own()}, nil
}

func (s profiles) SetProfile(_ context.Context, req *contactsv1.SetProfileRequest) (*contactsv1.SetProfileResponse, error) {
	c := profile.Change{Name: req.Name, Bio: req.Bio}
	if req.Skills != nil {
		c.Skills = &req.Skills.Words
	}
	if req.Communities != nil {
		c.Communities = &req.Communities.Words
	}
	if req.Avatar != nil {
		picture, err := s.node.Profile.Picture(req.Avatar)
		if err != nil {
			return nil, err
		}
		c.Picture = &picture
	}
	if _, err := s.node.Profile.Set(c); err != nil {
		return nil, err
	}
	return &contactsv1.SetProfileResponse{Profile: s.own()}, nil
}

func (s profiles) own() *contactsv1.Profile {
	return profileOf(s.node.Identity.Self(), profile.Kept{Profile: s.node.Profile.Mine(), Live: true})
}

func (s profiles) GetContactProfile(ctx context.Context, req *contactsv1.GetContactProfileRequest) (*contactsv1.GetContactProfileResponse, error) {
	peer, err := s.device(req.Contact)
	if err != nil {
		return nil, err
	}
	q := profile.Query{KeptOnly: req.KeptOnly}
	if req.At != "" {
		q.Addresses = []transport.Address{transport.Address(req.At)}
	}
	k, err := s.node.Profile.Of(ctx, peer, q)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetContactProfileResponse{Profile: profileOf(peer, k), Listed: k.Listed}, nil
}

// device returns the device that a request names: any by its whole ODID, a contact
// by what contacts are named by.
func (s *Server) device(text string) (contact.ODID, error) {
	if peer, err := contact.ParseODID(text); err == nil {
		return peer, nil
	}
	c, err := s.node.Relation.Resolve(text)
	return c.ODID, err
}

func profileOf(peer contact.ODID, k profile.Kept) *contactsv1.Profile {
	return &contactsv1.Profile{
		Odid:        peer.String(),
		Name:        k.Name,
		Bio:         k.Bio,
		Skills:      k.Skills,
		Communities: k.Communities,
		Avatar:      k.Picture,
		AvatarType:  k.Picture.Type(),
		Revision:    strconv.FormatUint(k.Rev, 10),
		AsOf:        stamp(k.AsOf),
		Live:        k.Live,
	}
}
