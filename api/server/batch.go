package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/store"
)

// maxBatch is how many items a batch may have.
const maxBatch = 1000

// batch does the same to each item on its own: one that fails does not keep the
// others.
func (s contacts) batch(procedure string, items []string, do func(item string) error) ([]*contactsv1.Result, error) {
	if len(items) > maxBatch {
		return nil, &contact.LimitError{Field: "contacts", Got: len(items), Limit: maxBatch, Unit: "items"}
	}
	results := make([]*contactsv1.Result, 0, len(items))
	for _, item := range items {
		if err := do(item); err != nil {
			results = append(results, s.failed(procedure, item, err))
			continue
		}
		results = append(results, &contactsv1.Result{Item: item, Ok: true})
	}
	return results, nil
}

// failed is the result of an item that could not be done.
func (s contacts) failed(procedure, item string, err error) *contactsv1.Result {
	return &contactsv1.Result{Item: item, Error: textOf(explainer{s.Server}.explain(procedure, err))}
}

// together is batch for what is done in few commits: each item is prepared on its
// own, and do gets those that could be. It returns an error for each of them, and
// one if it could not go on.
func together[T any](s contacts, procedure string, items []string, prepare func(i int) (T, error), do func([]T) ([]error, error)) ([]*contactsv1.Result, error) {
	var ready []T
	var places []int // in items
	next := 0
	results, err := s.batch(procedure, items, func(string) error {
		i := next
		next++
		item, err := prepare(i)
		if err == nil {
			ready, places = append(ready, item), append(places, i)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	errs, err := do(ready)
	if err != nil {
		return nil, err
	}
	for k, err := range errs {
		if err != nil {
			results[places[k]] = s.failed(procedure, items[places[k]], err)
		}
	}
	return results, nil
}

func (s contacts) RemoveContacts(_ context.Context, req *contactsv1.RemoveContactsRequest) (*contactsv1.RemoveContactsResponse, error) {
	results, err := s.batch("RemoveContacts", req.Contacts, func(item string) error {
		c, err := s.find(item)
		if err != nil {
			return err
		}
		return s.node.Relation.Remove(c.ODID, req.Both)
	})
	return &contactsv1.RemoveContactsResponse{Results: results}, err
}

func (s contacts) BlockContacts(_ context.Context, req *contactsv1.BlockContactsRequest) (*contactsv1.BlockContactsResponse, error) {
	results, err := s.batch("BlockContacts", req.Contacts, func(item string) error {
		if peer, err := contact.ParseODID(item); err == nil { // of any device
			return s.node.Relation.Block(peer)
		}
		c, err := s.node.Relation.Resolve(item)
		if err != nil {
			return err
		}
		return s.node.Relation.Block(c.ODID)
	})
	return &contactsv1.BlockContactsResponse{Results: results}, err
}

func (s contacts) UnblockContacts(_ context.Context, req *contactsv1.UnblockContactsRequest) (*contactsv1.UnblockContactsResponse, error) {
	out := &contactsv1.UnblockContactsResponse{}
	var err error
	out.Results, err = s.batch("UnblockContacts", req.Contacts, func(item string) error {
		peer, err := contact.ParseODID(item)
		if err != nil {
			c, err := s.node.Relation.ResolveBlocked(item)
			if err != nil {
				return err
			}
			peer = c.ODID
		}
		if err := s.node.Relation.Unblock(peer); err != nil {
			return err
		}
		u, err := s.unblocked(peer)
		out.Unblocked = append(out.Unblocked, u)
		return err
	})
	return out, err
}

// unblocked says what a device is whose block ended.
func (s contacts) unblocked(peer contact.ODID) (*contactsv1.Unblocked, error) {
	u := &contactsv1.Unblocked{Odid: peer.String()}
	err := s.node.DB.View(func(tx *store.Tx) error {
		v, _, err := s.node.Relation.View(tx, peer)
		u.Relation = v.Status.String()
		u.Listed = v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming
		return err
	})
	return u, err
}
