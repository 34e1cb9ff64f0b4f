package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/message"
)

type messages struct{ *Server }

func (s messages) SendMessage(_ context.Context, req *contactsv1.SendMessageRequest) (*contactsv1.SendMessageResponse, error) {
	id, err := messageID(req.Id)
	if err != nil {
		return nil, err
	}
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	m, err := s.node.Message.Send(c.ODID, id, message.KindText, []byte(req.Text))
	if err != nil {
		return nil, err
	}
	return &contactsv1.SendMessageResponse{Id: m.ID.String(), State: m.State.String()}, nil
}

// SendMany looks a name up once, however many messages go to it.
func (s messages) SendMany(_ context.Context, req *contactsv1.SendManyRequest) (*contactsv1.SendManyResponse, error) {
	if len(req.Messages) > message.MaxBatch {
		return nil, &contact.LimitError{Field: "messages", Got: len(req.Messages), Limit: message.MaxBatch, Unit: "items"}
	}
	type found struct {
		peer contact.ODID
		err  error
	}
	names := make(map[string]found)
	results := make([]*contactsv1.SendResult, len(req.Messages))
	out := make([]message.Outgoing, 0, len(req.Messages))
	to := make([]*contactsv1.SendResult, 0, len(req.Messages)) // of out
	for i, m := range req.Messages {
		r := &contactsv1.SendResult{Id: m.GetId()}
		results[i] = r
		id, err := messageID(m.GetId())
		if err != nil {
			r.Error, r.Reason = s.refusal("SendMany", err)
			continue
		}
		r.Id = id.String()
		f, known := names[m.GetContact()]
		if !known {
			c, err := s.find(m.GetContact())
			f = found{c.ODID, err}
			names[m.GetContact()] = f
		}
		if f.err != nil {
			r.Error, r.Reason = s.refusal("SendMany", f.err)
			continue
		}
		out = append(out, message.Outgoing{To: f.peer, ID: id, Kind: message.KindText, Body: []byte(m.GetText())})
		to = append(to, r)
	}
	sent, err := s.node.Message.SendMany(out)
	if err != nil {
		return nil, err
	}
	for i, m := range sent {
		if m.Err != nil {
			to[i].Error, to[i].Reason = s.refusal("SendMany", m.Err)
			continue
		}
		to[i].Ok, to[i].State = true, m.Message.State.String()
	}
	return &contactsv1.SendManyResponse{Results: results}, nil
}

// refusal is what is said of one message of many.
func (s messages) refusal(procedure string, err error) (text, reason string) {
	told := explainer{s.Server}.explain(procedure, err)
	return textOf(told), reasonOf(told)
}

func messageID(text string) (message.ID, error) {
	if text == "" {
		return message.NewID()
	}
	return message.ParseID(text)
}

func (s messages) ListMessages(_ context.Context, req *contactsv1.ListMessagesRequest) (*contactsv1.ListMessagesResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	q := message.Query{Limit: size}
	if req.PageToken != "" {
		if q.Before, err = parseCursor("page_token", req.PageToken); err != nil {
			return nil, err
		}
	}
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	page, err := s.node.Message.History(c.ODID, q)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListMessagesResponse{Messages: messagesOf(page.Messages)}
	if page.More && len(page.Messages) > 0 {
		r.NextPageToken = cursorText(page.Messages[0].Cursor)
	}
	return r, nil
}

func (s messages) GetMessage(_ context.Context, req *contactsv1.GetMessageRequest) (*contactsv1.GetMessageResponse, error) {
	id, err := message.ParseID(req.Id)
	if err != nil {
		return nil, err
	}
	m, err := s.node.Message.Get(id)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetMessageResponse{Message: messageOf(m)}, nil
}
