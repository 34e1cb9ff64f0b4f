package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
)

type device struct{ *Server }

func (s device) GetStatus(context.Context, *contactsv1.GetStatusRequest) (*contactsv1.GetStatusResponse, error) {
	listed, err := s.node.Relation.Count()
	if err != nil {
		return nil, err
	}
	counts, err := s.node.Message.Counts()
	if err != nil {
		return nil, err
	}
	waiting, err := s.node.Relation.Waiting()
	if err != nil {
		return nil, err
	}
	size, _ := s.storeBytes()
	r := &contactsv1.GetStatusResponse{
		Odid:        s.node.Identity.Self().String(),
		Name:        s.node.Name(),
		Version:     s.version,
		Socket:      s.socket,
		Peers:       uint32(len(s.node.Network.Connected())),
		Contacts:    uint32(listed),
		Queued:      uint32(counts.Queued),
		Requests:    uint32(waiting),
		Presence:    ownPresence(s.node.Presence.Mine()),
		StartedAt:   stamp(s.started),
		Store:       s.store,
		StoreBytes:  float64(size),
		PairingOpen: s.node.Pairing.WindowOpen(),
	}
	_, links := s.node.Presence.Gossip()
	r.Relaying = uint32(links)
	for _, a := range s.node.Network.Own() {
		r.Addresses = append(r.Addresses, string(a))
	}
	return r, nil
}

func (s device) GetSettings(context.Context, *contactsv1.GetSettingsRequest) (*contactsv1.GetSettingsResponse, error) {
	return &contactsv1.GetSettingsResponse{Settings: s.settings()}, nil
}

func (s device) SetSettings(_ context.Context, req *contactsv1.SetSettingsRequest) (*contactsv1.SetSettingsResponse, error) {
	if err := s.node.SetPolicy(req.Settings); err != nil {
		return nil, err
	}
	return &contactsv1.SetSettingsResponse{Settings: s.settings()}, nil
}

func (s device) settings() (list []*contactsv1.Setting) {
	p := s.node.Policy()
	for _, set := range contact.Settings() {
		choices := set.Choices
		if choices == nil {
			choices = []string{set.Range()}
		}
		list = append(list, &contactsv1.Setting{
			Name: set.Name, Value: set.Value(p), Default: set.Default, Choices: choices, Description: set.Description,
		})
	}
	return list
}
