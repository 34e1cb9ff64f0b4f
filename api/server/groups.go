package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
)

type groups struct{ contacts }

func (s groups) ListGroups(context.Context, *contactsv1.ListGroupsRequest) (*contactsv1.ListGroupsResponse, error) {
	list, err := s.node.Relation.Groups()
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListGroupsResponse{}
	for _, g := range list {
		r.Groups = append(r.Groups, &contactsv1.Group{Name: g.Name, Contacts: uint32(g.Contacts), CreatedAt: stamp(g.CreatedAt)})
	}
	return r, nil
}

func (s groups) CreateGroup(_ context.Context, req *contactsv1.CreateGroupRequest) (*contactsv1.CreateGroupResponse, error) {
	created, err := s.node.Relation.CreateGroup(req.Group)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CreateGroupResponse{Created: created}, nil
}

func (s groups) RenameGroup(_ context.Context, req *contactsv1.RenameGroupRequest) (*contactsv1.RenameGroupResponse, error) {
	if err := s.node.Relation.RenameGroup(req.Group, req.To); err != nil {
		return nil, err
	}
	return &contactsv1.RenameGroupResponse{}, nil
}

func (s groups) DeleteGroup(_ context.Context, req *contactsv1.DeleteGroupRequest) (*contactsv1.DeleteGroupResponse, error) {
	if err := s.node.Relation.DeleteGroup(req.Group); err != nil {
		return nil, err
	}
	return &contactsv1.DeleteGroupResponse{}, nil
}

func (s groups) EnterGroup(_ context.Context, req *contactsv1.EnterGroupRequest) (*contactsv1.EnterGroupResponse, error) {
	results, err := s.change("EnterGroup", req.Contacts, func(peers []contact.ODID) ([]error, error) {
		return s.node.Relation.Enter(req.Group, peers)
	})
	return &contactsv1.EnterGroupResponse{Results: results}, err
}

func (s groups) LeaveGroup(_ context.Context, req *contactsv1.LeaveGroupRequest) (*contactsv1.LeaveGroupResponse, error) {
	results, err := s.change("LeaveGroup", req.Contacts, func(peers []contact.ODID) ([]error, error) {
		return s.node.Relation.Leave(req.Group, peers)
	})
	return &contactsv1.LeaveGroupResponse{Results: results}, err
}

// change finds contacts and does the same to those that are found, together.
func (s groups) change(procedure string, items []string, do func([]contact.ODID) ([]error, error)) ([]*contactsv1.Result, error) {
	return together(s.contacts, procedure, items, func(i int) (contact.ODID, error) {
		c, err := s.find(items[i])
		return c.ODID, err
	}, do)
}
