package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

type contacts struct{ *Server }

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
	edit, err := editOf(req)
	if err != nil {
		return nil, err
	}
	if err := s.node.Relation.Edit(c.ODID, edit); err != nil {
		return nil, err
	}
	if c, err = s.node.Relation.Get(c.ODID); err != nil {
		return nil, err
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
