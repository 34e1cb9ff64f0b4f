package sim

import (
	"time"

	"contactsd/contact"
)

// owes notes that a's request to b costs credits: the two are not paired.
func (w *world) owes(a, b *host, l *life, r asked) {
	if _, v, err := l.standing(b); err != nil || v.Trust >= contact.Paired {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.priced[priced{a.i, b.i, r.wording}] = true
}

// charges looks whether each request that a device makes was paid for: what is on the
// disk of the one is of the other, whatever crashed. The clock of the device shows the
// same at both.
func (w *world) charges(h *host, l *life) {
	if h.restored { // it may have learnt of a request that an older life made
		return
	}
	made, err := l.Relation.Requests(false)
	if err != nil {
		return // it stops just now
	}
	charges, err := l.Credit.Charges(0, 1000)
	if err != nil || h.up() != l || l.isDead() {
		return
	}
	paid := make(map[time.Time]contact.ODID)
	for _, c := range charges {
		paid[c.At] = c.Peer
	}
	for _, r := range made {
		p := priced{h.i, w.index[r.ODID], r.Wording}
		w.mu.Lock()
		costs := w.priced[p]
		delete(w.priced, p) // say it once
		w.mu.Unlock()
		if costs && paid[r.At] != r.ODID {
			w.violate("credit", "%s asks %s (%s), and nothing was charged for it", h.name, w.hosts[p.of].name, r.Wording)
		}
	}
}
