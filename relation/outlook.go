package relation

import (
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Outlook is how this device keeps in touch with another one: what it has to
// say, what came of the last attempts, and when it tries again.
type Outlook struct {
	Heard bool // it has said something of this device, at least once
	Told  bool // it holds the newest that this device says of it
	Due   bool // there is a reason to reach it: MayDial

	Minting *Minting  // stamps are made for the request to it
	Trying  bool      // an exchange is under way
	Failed  int       // attempts that failed in a row
	Last    time.Time // when the last of them ended
	Err     error     // of the last of them
	Next    time.Time // when the next attempt is due, zero if none is planned
}

// Outlook returns how it stands with a device.
func (s *Service) Outlook(peer contact.ODID) (Outlook, error) {
	o := s.keeper.outlook(peer)
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		o.Heard = e.theirs != nil || e.row.Marks.TheirsSeq > 0
		o.Told = e.mine != nil && !contact.Unacknowledged(e.mine, e.row.Marks)
		if err != nil {
			return err
		}
		a, open, err := s.openAsk(tx, &e)
		if open && a.Owes {
			o.Told = false
			if p, ok := s.minter.progress(peer); ok {
				o.Minting = &p
			}
		}
		return err
	})
	o.Due = s.MayDial(peer)
	return o, err
}

func (k *keeper) outlook(peer contact.ODID) Outlook {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.due[peer]
	if a == nil {
		return Outlook{}
	}
	o := Outlook{Trying: a.running, Failed: a.failed}
	if a.failed > 0 {
		o.Last, o.Err = a.last, a.err
	}
	if !a.running {
		o.Next = a.at
	}
	return o
}
