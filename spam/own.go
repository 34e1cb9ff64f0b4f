package spam

import (
	"errors"
	"fmt"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// ErrNoReport is returned for a device that the user did not report.
var ErrNoReport = errors.New("no such report")

// Report keeps the user's report on peer, in tx, and with share has paired contacts
// told.
func (s *Service) Report(tx *store.Tx, peer contact.ODID, e contact.Evidence, share bool) error {
	return s.say(tx, contact.Report{Reported: peer, Evidence: &e}, share)
}

// Withdraw takes the user's report on peer back, in tx, if there is one. Contacts that
// were told are told so.
func (s *Service) Withdraw(tx *store.Tx, peer contact.ODID) error {
	row, found, err := owns.Get(tx, peer[:])
	if err != nil || !found {
		return err
	}
	r, err := contact.DecodeReport(row.Report)
	switch {
	case err != nil:
		return err
	case r.Withdrawn:
		return nil
	case !row.Share:
		return owns.Delete(tx, peer[:])
	}
	return s.say(tx, contact.Report{Reported: peer, Withdrawn: true}, true)
}

// TakeBack is Withdraw for the user, who goes on to block peer. Errors: ErrNoReport.
func (s *Service) TakeBack(peer contact.ODID) error {
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		row, found, err := owns.Get(tx, peer[:])
		if err != nil {
			return err
		}
		if found {
			r, err := contact.DecodeReport(row.Report)
			if err != nil {
				return err
			}
			found = !r.Withdrawn
		}
		if !found {
			return fmt.Errorf("%w: %s", ErrNoReport, peer.Short())
		}
		return s.Withdraw(tx, peer)
	})
}

// say signs r as the newest report of this device and keeps it.
func (s *Service) say(tx *store.Tx, r contact.Report, share bool) error {
	now := tx.Now()
	return changeSelfErr(tx, func(me *self) error {
		me.Seq = contact.NextSeq(me.Seq, now)
		r.Reporter, r.Seq, r.At = s.self, me.Seq, uint64(max(now.UnixMilli(), 0))
		signed, err := s.cfg.Identity.SignReport(r)
		if err != nil {
			return err
		}
		if share {
			me.Shared = r.Seq
			tx.OnCommit(s.wakeAll)
		}
		return owns.Put(tx, r.Reported[:], own{Report: signed, Seq: r.Seq, Share: share, At: now.UnixMilli()})
	})
}

// changeSelfErr is changeSelf for a change that may fail.
func changeSelfErr(tx *store.Tx, change func(*self) error) (err error) {
	var failed error
	if err := changeSelf(tx, func(me *self) { failed = change(me) }); err != nil {
		return err
	}
	return failed
}

// Rebuked is told, in tx, that peer answered an ask of this device by reporting it.
// The third device within 30 days locks the asks of this device.
func (s *Service) Rebuked(tx *store.Tx, peer contact.ODID) error {
	return changeSelfErr(tx, func(me *self) error {
		now := tx.Now()
		if me.Locked > now.UnixMilli() {
			return nil
		}
		lock := false
		if me.Rebukes, lock = contact.Rebuked(me.Rebukes, peer, now); !lock {
			return nil
		}
		until := now.Add(contact.LockTime)
		me.Locked = until.UnixMilli()
		tx.OnCommit(s.due.look)
		return tx.Emit(contact.Event{Type: contact.AsksLocked, At: now.UnixMilli(), Detail: until.UTC().Format(time.RFC3339)})
	})
}

// LockedUntil returns until when this device asks nothing, zero if it may.
func (s *Service) LockedUntil(tx *store.Tx) (until time.Time, err error) {
	me, _, err := selves.Get(tx, selfKey())
	if err != nil || me.Locked <= tx.Now().UnixMilli() {
		return time.Time{}, err
	}
	return time.UnixMilli(me.Locked), nil
}

// Lock is whether this device's own asks are locked.
type Lock struct {
	Until   time.Time // zero if they are not
	Rebukes int       // devices that reported its asks and count towards a lock
}

// Lock returns whether asks are locked.
func (s *Service) Lock() (l Lock, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		if l.Until, err = s.LockedUntil(tx); err != nil {
			return err
		}
		me, _, err := selves.Get(tx, selfKey())
		for _, r := range me.Rebukes {
			if contact.RebukeCounts(r, tx.Now()) {
				l.Rebukes++
			}
		}
		return err
	})
	return l, err
}

// unlock ends a lock whose time is over, and returns when the next one ends.
func (s *Service) unlock() (next time.Time, err error) {
	over := false
	look := func(tx *store.Tx) error {
		me, _, err := selves.Get(tx, selfKey())
		over = me.Locked != 0 && me.Locked <= tx.Now().UnixMilli()
		if me.Locked != 0 {
			next = time.UnixMilli(me.Locked)
		}
		return err
	}
	if err := s.cfg.DB.View(look); err != nil || !over {
		return next, err
	}
	return time.Time{}, s.cfg.DB.Update(func(tx *store.Tx) error {
		if err := look(tx); err != nil || !over {
			return err
		}
		if err := changeSelf(tx, func(me *self) { me.Locked = 0 }); err != nil {
			return err
		}
		return tx.Emit(contact.Event{Type: contact.AsksUnlocked, At: tx.Now().UnixMilli()})
	})
}
