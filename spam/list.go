package spam

import (
	"slices"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// Reported is a report as users and clients see it.
type Reported struct {
	ODID     contact.ODID // whom it is on
	Reporter contact.ODID // this device, or a contact
	Own      bool
	Shared   bool // own: paired contacts are told
	At       time.Time
	Lapses   time.Time
	Wording  string // "" unless it was shown
	Paired   bool   // it is on a paired contact, and counts nothing
	Counts   bool   // of a contact: its reporter is paired now
}

// Reports returns the reports that stand, the user's and those of contacts, the newest
// first.
func (s *Service) Reports() (list []Reported, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		for row, err := range owns.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			r, err := contact.DecodeReport(row.Value.Report)
			if err != nil {
				return err
			}
			at := time.UnixMilli(row.Value.At)
			if !r.Withdrawn {
				list = append(list, Reported{
					ODID: contact.ODID(row.Key), Reporter: s.self, Own: true, Shared: row.Value.Share,
					At: at, Lapses: at.Add(contact.ReportLife), Wording: wordingOf(r),
				})
			}
		}
		for row, err := range reports.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.Withdrawn {
				continue
			}
			one, err := s.heardOf(tx, row)
			if err != nil {
				return err
			}
			list = append(list, one)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Reported) int { return b.At.Compare(a.At) })
	return list, err
}

func (s *Service) heardOf(tx *store.Tx, row store.Row[heard]) (Reported, error) {
	r, err := contact.DecodeReport(row.Value.Report)
	if err != nil {
		return Reported{}, err
	}
	reported, reporter := parties(row.Key)
	on, _, err := s.cfg.Relation(tx, reported)
	if err != nil {
		return Reported{}, err
	}
	by, _, err := s.cfg.Relation(tx, reporter)
	paired := on.Trust >= contact.Paired
	return Reported{
		ODID: reported, Reporter: reporter, At: time.UnixMilli(row.Value.At), Lapses: time.UnixMilli(row.Value.Lapses),
		Wording: wordingOf(r), Paired: paired, Counts: by.Trust >= contact.Paired && !paired,
	}, err
}

func wordingOf(r contact.Report) string {
	if r.Evidence == nil || r.Evidence.Shown == nil {
		return ""
	}
	return r.Evidence.Shown.Wording
}

// sweep forgets what is over, and has requests looked at that reports on kept apart.
func (s *Service) sweep() error {
	var old [][]byte
	look := func(tx *store.Tx) error {
		old = nil
		now := tx.Now().UnixMilli()
		for row, err := range reports.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if row.Value.Lapses <= now {
				old = append(old, row.Key)
			}
		}
		return nil
	}
	var mine [][]byte
	lookOwn := func(tx *store.Tx) error {
		mine = nil
		now := tx.Now()
		for row, err := range owns.Scan(tx, store.Range{}) {
			if err != nil {
				return err
			}
			if now.Sub(time.UnixMilli(row.Value.At)) >= contact.ReportLife {
				mine = append(mine, row.Key)
			}
		}
		return nil
	}
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		return lookOwn(tx)
	})
	if err != nil || len(old)+len(mine) == 0 {
		return err
	}
	return s.cfg.DB.Update(func(tx *store.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		for _, key := range old {
			if err := s.forget(tx, key); err != nil {
				return err
			}
		}
		if err := lookOwn(tx); err != nil {
			return err
		}
		for _, key := range mine {
			if err := owns.Delete(tx, key); err != nil {
				return err
			}
		}
		return s.forgetTold(tx)
	})
}

// forget drops a report of a contact.
func (s *Service) forget(tx *store.Tx, key []byte) error {
	if err := reports.Delete(tx, key); err != nil {
		return err
	}
	reported, reporter := parties(key)
	q, found, err := reporters.Get(tx, reporter[:])
	if err != nil {
		return err
	}
	if q.today(tx.Now()); found && q.Taken == 0 {
		if err := reporters.Delete(tx, reporter[:]); err != nil {
			return err
		}
	}
	return s.cfg.Reconsider(tx, reported)
}

// forgetTold drops what is known of who was told, once no own report is left.
func (s *Service) forgetTold(tx *store.Tx) error {
	for _, err := range owns.Scan(tx, store.Range{}) {
		return err // there is one, or it can't be read
	}
	var keys [][]byte
	for row, err := range tolds.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		keys = append(keys, row.Key)
	}
	for _, key := range keys {
		if err := tolds.Delete(tx, key); err != nil {
			return err
		}
	}
	return changeSelf(tx, func(me *self) { me.Shared = 0 })
}
