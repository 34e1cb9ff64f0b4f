package spam

import (
	"context"
	"errors"
	"io"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

const streamTimeout = 10 * time.Second

// Handle takes reports of a paired contact, which the gate let in.
func (s *Service) Handle(_ context.Context, st transport.Stream, _ contact.Decision) {
	defer st.Close()
	if err := st.SetDeadline(time.Now().Add(streamTimeout)); err != nil {
		st.Reset()
		return
	}
	if err := s.listen(st); err != nil {
		s.log.Debug("spam: reports broken off", "peer", st.Peer().Short(), "err", err)
		st.Reset()
	}
}

func (s *Service) listen(st transport.Stream) error {
	r := transport.NewFrameReader(st, maxFrame)
	for range maxStream {
		var in request
		if err := r.Read(&in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		is, err := s.take(st.Peer(), in.Report)
		if err != nil {
			return err
		}
		if err := transport.WriteFrame(st, response{is}, maxFrame); err != nil || is == later {
			return err
		}
	}
	return nil
}

// take keeps a report of a paired contact. Of one that is known, or beyond what is
// taken a day, not even the signatures are looked at: they cost more than all the rest.
func (s *Service) take(from contact.ODID, signed contact.Signed) (outcome, error) {
	known, full := false, false
	claims, err := contact.DecodeReport(signed)
	if err != nil {
		s.counts.refused.Add(1)
		return 0, err
	}
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		was, found, err := reports.Get(tx, reportKey(claims.Reported, from))
		if err != nil {
			return err
		}
		q, _, err := reporters.Get(tx, from[:])
		q.today(tx.Now())
		known, full = found && claims.Seq <= was.Seq, q.full(claims.Withdrawn)
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case known:
		return done, nil
	case full:
		s.counts.late.Add(1)
		return later, nil
	}
	r, err := contact.OpenReport(signed)
	if err != nil {
		s.counts.refused.Add(1)
		return 0, err
	}
	if err := r.Admissible(from, s.self, s.cfg.DB.Now()); err != nil {
		s.counts.refused.Add(1)
		if r.Reporter != from {
			return 0, err
		}
		// Of no use here, as one about this device is: told again it would be of none.
		s.log.Debug("spam: a report is not kept", "peer", from.Short(), "err", err)
		return done, nil
	}
	is := done
	err = s.cfg.DB.Update(func(tx *store.Tx) (err error) {
		is, err = s.keep(tx, r, signed)
		return err
	})
	switch {
	case err == nil && is == later:
		s.counts.late.Add(1)
	case err == nil:
		s.counts.taken.Add(1)
	}
	return is, err
}

// full reports whether no more is taken of a contact today. Withdrawals, which count
// as well, may come for as many reports as are taken.
func (q quota) full(withdrawn bool) bool {
	if withdrawn {
		return q.Taken >= 2*contact.MaxReportsADay
	}
	return q.Taken >= contact.MaxReportsADay
}

// keep keeps a verified report, in the place of what its author said before.
func (s *Service) keep(tx *store.Tx, r contact.Report, signed contact.Signed) (outcome, error) {
	now := tx.Now()
	key := reportKey(r.Reported, r.Reporter)
	was, found, err := reports.Get(tx, key)
	if err != nil {
		return 0, err
	}
	if found && r.Seq <= was.Seq || !found && r.Withdrawn {
		return done, nil
	}
	v, _, err := s.cfg.Relation(tx, r.Reporter)
	if err != nil || v.Trust < contact.Paired { // since the gate looked
		return later, err
	}
	q, _, err := reporters.Get(tx, r.Reporter[:])
	if err != nil {
		return 0, err
	}
	q.today(now)
	if q.full(r.Withdrawn) {
		return later, nil
	}
	q.Taken++
	if err := reporters.Put(tx, r.Reporter[:], q); err != nil {
		return 0, err
	}
	row := heard{Report: signed, Seq: r.Seq, Withdrawn: r.Withdrawn, At: now.UnixMilli(), Lapses: r.Lapses(now).UnixMilli()}
	if found {
		row.Lapses = max(row.Lapses, was.Lapses)
	}
	if err := reports.Put(tx, key, row); err != nil {
		return 0, err
	}
	return done, s.cfg.Reconsider(tx, r.Reported)
}
