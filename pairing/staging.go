package pairing

import (
	"encoding/hex"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

const (
	stagingLasts = 30 * 24 * time.Hour
	expireEvery  = time.Hour
)

// Keys are device (32 bytes) and pair id (16), so that a device's staged
// pairings stand together; secrets are found by pair id.
var (
	stagings = store.NewTable[stagingRecord]("pairing/staged", 1)
	secrets  = store.NewTable[secretRecord]("pairing/secrets", 1)
)

// Tables returns the tables that the service keeps.
func Tables() []store.Definition { return []store.Definition{guesses, stagings, secrets} }

// stagingRecord is a pairing of which S does not know yet whether E has it:
//
//	key  field    type
//	 1   at       int        Unix milliseconds
//	 2   secret   bytes[32]
//	 3   name     text       the peer's
//	 4   allow    [text]     what S's user chose beyond the defaults
//	 5   offered  [text]     what E grants
type stagingRecord struct {
	At      int64               `cbor:"1,keyasint"`
	Secret  Secret              `cbor:"2,keyasint"`
	Name    string              `cbor:"3,keyasint"`
	Allow   contact.Permissions `cbor:"4,keyasint"`
	Offered contact.Permissions `cbor:"5,keyasint"`
}

func (r stagingRecord) expired(now time.Time) bool {
	return now.Sub(time.UnixMilli(r.At)) >= stagingLasts
}

// secretRecord is the key of a committed pairing. Those of earlier pairings with
// the same device stay.
//
//	key  field   type
//	 1   peer    bytes[32]
//	 2   secret  bytes[32]
//	 3   at      int        Unix milliseconds
type secretRecord struct {
	Peer   contact.ODID `cbor:"1,keyasint"`
	Secret Secret       `cbor:"2,keyasint"`
	At     int64        `cbor:"3,keyasint"`
}

// stage makes a pairing durable before message 6 lets E commit it, and gives the
// session's guesses back in the same transaction.
func (s *Service) stage(w *window, r Result, debits []debited) error {
	now := s.cfg.DB.Now().UnixMilli()
	err := s.cfg.DB.Update(func(tx *store.Tx) error {
		if err := refund(tx, debits); err != nil {
			return err
		}
		rec := stagingRecord{At: now, Secret: r.Secret, Name: r.Name, Allow: r.Allow, Offered: r.Offered}
		if err := stagings.Put(tx, store.Key(r.Peer[:], r.PairID[:]), rec); err != nil {
			return err
		}
		return tx.Emit(contact.Event{Type: contact.PairingStaged, At: now, Contact: r.Peer, ID: hex.EncodeToString(r.PairID[:])})
	})
	if err != nil {
		return fmt.Errorf("stage pairing: %w", err)
	}
	s.log.Debug("pairing: staged", "peer", r.Peer.Short(), "pairing", r.PairID.Short())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range debits {
		if d.digits == shortCode {
			w.rounds--
		}
	}
	if w.ended == nil {
		s.staged[r.PairID] = w
	}
	return nil
}

// commit writes a pairing on this side, and its secret. It stands above all that
// are staged with the peer.
func (s *Service) commit(tx *store.Tx, r Result) error {
	if err := s.cfg.Commit(tx, r); err != nil {
		return err
	}
	if err := s.DropStaged(tx, r.Peer, tx.Now()); err != nil {
		return err
	}
	return secrets.Put(tx, r.PairID[:], secretRecord{Peer: r.Peer, Secret: r.Secret, At: tx.Now().UnixMilli()})
}

// Staged reports whether a pairing with the peer waits for its last step.
func (s *Service) Staged(tx *store.Tx, peer contact.ODID) (bool, error) {
	now := tx.Now()
	for row, err := range stagings.Scan(tx, store.Range{Prefix: peer[:]}) {
		if err != nil {
			return false, err
		}
		if !row.Value.expired(now) {
			return true, nil
		}
	}
	return false, nil
}

// CommitStaged ends the staged pairing that a statement of the peer names: it
// calls Config.Commit in tx and drops the record. It returns false if none is
// staged by that id, be it committed already, expired, or never heard of.
func (s *Service) CommitStaged(tx *store.Tx, peer contact.ODID, id contact.PairID) (bool, error) {
	key := store.Key(peer[:], id[:])
	rec, ok, err := stagings.Get(tx, key)
	if err != nil || !ok || rec.expired(tx.Now()) {
		return false, err
	}
	r := Result{
		Peer:    peer,
		Name:    rec.Name,
		PairID:  id,
		Secret:  rec.Secret,
		Role:    Shows,
		Grants:  contact.PairedDefault | rec.Allow,
		Allow:   rec.Allow,
		Offered: rec.Offered,
	}
	if err := s.commit(tx, r); err != nil {
		return false, fmt.Errorf("commit pairing: %w", err)
	}
	tx.OnCommit(func() { s.committed(r) })
	return true, nil
}

// DropStaged forgets every pairing staged with the peer until then, because a later word of
// the user counts: another pairing with it, or its removal. Otherwise a peer that
// held an ACK back could finish that pairing for a month.
func (s *Service) DropStaged(tx *store.Tx, peer contact.ODID, until time.Time) error {
	var keys [][]byte
	for row, err := range stagings.Scan(tx, store.Range{Prefix: peer[:]}) {
		if err != nil {
			return err
		}
		if !time.UnixMilli(row.Value.At).After(until) {
			keys = append(keys, row.Key)
		}
	}
	for _, key := range keys {
		if err := stagings.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}

// committed ends the window whose code has paired.
func (s *Service) committed(r Result) {
	s.mu.Lock()
	w := s.staged[r.PairID]
	delete(s.staged, r.PairID)
	var reset func()
	if w != nil {
		reset = s.end(w, Ended{Paired: true, Peer: r.Peer, Name: r.Name, PairID: r.PairID}, nil)
	}
	s.mu.Unlock()
	if reset != nil {
		reset()
	}
	s.log.Info("paired", "peer", r.Peer.Short(), "pairing", r.PairID.Short())
}

// expire drops staged pairings that nobody came back for, and sets counted guesses
// right.
func (s *Service) expire(now time.Time) error {
	if err := s.correctGuesses(now); err != nil {
		return err
	}
	var old [][]byte
	collect := func(tx *store.Tx) error {
		old = old[:0]
		for row, err := range stagings.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.expired(now) {
				old = append(old, row.Key)
			}
		}
		return nil
	}
	if err := s.cfg.DB.View(collect); err != nil || len(old) == 0 {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		for _, key := range old {
			if err := stagings.Delete(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}
