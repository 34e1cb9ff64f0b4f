package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
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
	size, _ := s.storeBytes()
	r := &contactsv1.GetStatusResponse{
		Odid:        s.node.Identity.Self().String(),
		Name:        s.node.Name(),
		Version:     s.version,
		Socket:      s.socket,
		Peers:       uint32(len(s.node.Network.Connected())),
		Contacts:    uint32(listed),
		Queued:      uint32(counts.Queued),
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

func (s device) GetProfile(context.Context, *contactsv1.GetProfileRequest) (*contactsv1.GetProfileResponse, error) {
	return &contactsv1.GetProfileResponse{Profile: s.profile()}, nil
}

func (s device) SetProfile(_ context.Context, req *contactsv1.SetProfileRequest) (*contactsv1.SetProfileResponse, error) {
	if req.Name != nil {
		if err := s.node.SetName(*req.Name); err != nil {
			return nil, err
		}
	}
	return &contactsv1.SetProfileResponse{Profile: s.profile()}, nil
}

func (s device) profile() *contactsv1.Profile {
	return &contactsv1.Profile{Odid: s.node.Identity.Self().String(), Name: s.node.Name()}
}

func (s device) GetSettings(context.Context, *contactsv1.GetSettingsRequest) (*contactsv1.GetSettingsResponse, error) {
	set, err := s.settings()
	return &contactsv1.GetSettingsResponse{Settings: set}, err
}

func (s device) SetSettings(_ context.Context, req *contactsv1.SetSettingsRequest) (*contactsv1.SetSettingsResponse, error) {
	if req.Gossip != nil {
		if err := s.node.SetGossip(*req.Gossip); err != nil {
			return nil, err
		}
	}
	set, err := s.settings()
	return &contactsv1.SetSettingsResponse{Settings: set}, err
}

func (s device) settings() (*contactsv1.Settings, error) {
	gossip, err := s.node.Gossip()
	return &contactsv1.Settings{Gossip: gossip}, err
}
