package relation

import (
	"contactsd/contact"
	"contactsd/store"
)

// weakestRequest returns the request of a stranger that waits with the least work in its
// stamps, the first of several; without key if there is none. It reads all that wait.
func weakestRequest(tx *store.Tx) (weakest store.Row[request], err error) {
	for row, err := range requests.Scan(tx, store.Range{}) {
		if err != nil {
			return weakest, err
		}
		r, w := row.Value, weakest.Value
		if !r.Stranger || !waitsHere(r) {
			continue
		}
		if weakest.Key == nil || r.Bits < w.Bits || r.Bits == w.Bits && r.At < w.At {
			weakest = row
		}
	}
	return weakest, nil
}

// displace drops a request that waits, for one with more work in it. What it asks
// counts as never heard.
func (s *Service) displace(tx *store.Tx, row store.Row[request]) error {
	e, err := load(tx, contact.ODID(row.Key))
	if err != nil {
		return err
	}
	if e.disposable() {
		if err := dropCardRequest(tx, e.peer); err != nil {
			return err
		}
		delete(viewsOf(tx), e.peer)
		if err := devices.Delete(tx, e.peer[:]); err != nil {
			return err
		}
	} else if d, open := e.asksNow(); open {
		e.decided(d)
		if err := s.save(tx, &e); err != nil {
			return err
		}
	}
	if err := setRequest(tx, e.peer, &row.Value, nil); err != nil {
		return err
	}
	return tellRequest(tx, contact.RequestCancelled, e.peer, row.Value.id(), incoming, "")
}
