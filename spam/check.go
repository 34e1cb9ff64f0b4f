package spam

import (
	"contactsd/contact"
	"contactsd/store"
)

// Check adds to d what the rows of this package say that can't be: reports that are
// not their author's, or on another device than they are kept for. me is the ODID of
// this device, zero if it is not known.
func Check(tx *store.Tx, me contact.ODID, d *store.Damages) error {
	for row, err := range owns.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		r, err := contact.OpenReport(row.Value.Report)
		switch {
		case err != nil:
			d.Add("spam/own", row.Key, "own report: %v", err)
		case len(row.Key) != len(r.Reported) || contact.ODID(row.Key) != r.Reported || !me.IsZero() && r.Reporter != me || r.Seq != row.Value.Seq:
			d.Add("spam/own", row.Key, "a report of %s on %s", r.Reporter.Short(), r.Reported.Short())
		}
	}
	for row, err := range reports.Scan(tx, store.Range{}) {
		if err != nil {
			return err
		}
		if len(row.Key) != 2*len(contact.ODID{}) {
			d.Add("spam/reports", row.Key, "a key of %d bytes", len(row.Key))
			continue
		}
		r, err := contact.OpenReport(row.Value.Report)
		reported, reporter := parties(row.Key)
		switch {
		case err != nil:
			d.Add("spam/reports", row.Key, "report: %v", err)
		case r.Reported != reported || r.Reporter != reporter || r.Seq != row.Value.Seq || r.Withdrawn != row.Value.Withdrawn:
			d.Add("spam/reports", row.Key, "a report of %s on %s", r.Reporter.Short(), r.Reported.Short())
		}
	}
	return nil
}
