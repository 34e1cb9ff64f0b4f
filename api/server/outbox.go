package server

import (
	"context"
	"encoding/base64"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/message"
)

func (s messages) ListOutbox(_ context.Context, req *contactsv1.ListOutboxRequest) (*contactsv1.ListOutboxResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	q := message.OutboxQuery{Limit: size}
	if q.After, err = base64.RawURLEncoding.DecodeString(req.PageToken); err != nil {
		return nil, invalid("page_token", "not from a page of the outbox")
	}
	if req.Contact != "" {
		c, err := s.find(req.Contact)
		if err != nil {
			return nil, err
		}
		q.Contact = c.ODID
	}
	page, err := s.node.Message.Outbox(q)
	if err != nil {
		return nil, err
	}
	list := messagesOf(page.Messages)
	for i, m := range page.Messages {
		list[i].Waiting += s.working(m.Contact)
	}
	return &contactsv1.ListOutboxResponse{
		Messages:      list,
		NextPageToken: base64.RawURLEncoding.EncodeToString(page.Next),
	}, nil
}

// working is what there is to add to why a message waits, while stamps are made for the
// request to its contact.
func (s messages) working(peer contact.ODID) string {
	p, ok := s.node.Relation.Minting(peer)
	if !ok {
		return ""
	}
	return "; work is done for your request: " + minting(p)
}

func (s messages) CancelMessage(_ context.Context, req *contactsv1.CancelMessageRequest) (*contactsv1.CancelMessageResponse, error) {
	id, err := message.ParseID(req.Id)
	if err != nil {
		return nil, err
	}
	m, err := s.node.Message.Cancel(id)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CancelMessageResponse{Message: messageOf(m)}, nil
}

func (s messages) CancelMessages(_ context.Context, req *contactsv1.CancelMessagesRequest) (*contactsv1.CancelMessagesResponse, error) {
	if len(req.Ids) > message.MaxBatch {
		return nil, &contact.LimitError{Field: "ids", Got: len(req.Ids), Limit: message.MaxBatch, Unit: "items"}
	}
	results := make([]*contactsv1.CancelResult, len(req.Ids))
	var ids []message.ID
	var of []*contactsv1.CancelResult // of ids
	for i, text := range req.Ids {
		r := &contactsv1.CancelResult{Id: text}
		results[i] = r
		id, err := message.ParseID(text)
		if err != nil {
			r.Error, r.Reason = s.refusal("CancelMessages", err)
			continue
		}
		ids, of = append(ids, id), append(of, r)
	}
	done, err := s.node.Message.CancelMany(ids)
	if err != nil {
		return nil, err
	}
	for i, c := range done {
		if c.Err != nil {
			of[i].Error, of[i].Reason = s.refusal("CancelMessages", c.Err)
			continue
		}
		of[i].Ok, of[i].State = true, c.Message.State.String()
	}
	return &contactsv1.CancelMessagesResponse{Results: results}, nil
}

func (s messages) ListQueues(_ context.Context, req *contactsv1.ListQueuesRequest) (*contactsv1.ListQueuesResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(req.PageToken)
	if err != nil {
		return nil, invalid("page_token", "not from a page of queues")
	}
	if req.Contact != "" {
		c, err := s.find(req.Contact)
		if err != nil {
			return nil, err
		}
		q, err := s.node.Message.QueueOf(c.ODID)
		if err != nil || q.Messages == 0 {
			return &contactsv1.ListQueuesResponse{}, err
		}
		return &contactsv1.ListQueuesResponse{Queues: []*contactsv1.Queue{s.queueOf(q)}}, nil
	}
	page, err := s.node.Message.Queues(after, size)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListQueuesResponse{NextPageToken: base64.RawURLEncoding.EncodeToString(page.Next)}
	for _, q := range page.Queues {
		r.Queues = append(r.Queues, s.queueOf(q))
	}
	return r, nil
}

func (s messages) queueOf(q message.Queue) *contactsv1.Queue {
	return &contactsv1.Queue{
		Contact:   q.Contact.String(),
		Messages:  uint32(q.Messages),
		OldestAt:  stamp(q.Oldest),
		ExpiresAt: stamp(q.Expires),
		Waiting:   q.Waiting + s.working(q.Contact),
	}
}
