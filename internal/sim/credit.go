package sim

import (
	"time"

	"contactsd/contact"
	"contactsd/internal/asker"
	"contactsd/relation"
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

// robberies is how many devices of nobody's are asked, each as the asker's crash comes.
const robberies = 3

// robs has a device crash at the commit of a request, after all else: if that is on the
// disk, so is what it cost. Other commits may come first, so it is tried some times.
func (w *world) robs() {
	h := w.hosts[(w.plan.Seed+1)%uint64(len(w.hosts))]
	for n := range uint32(robberies) {
		who, err := asker.ODID(10 + n)
		l := h.up()
		if err != nil || l == nil || !l.light(fuse{commits: 1}) {
			w.violate("run", "%s can't be robbed: %v", h.name, err)
			return
		}
		l.Relation.Add(who, relation.AddOptions{Wording: "May I?"}) // it may be the last that it does
		w.down(h, true, time.Second)
		if l = h.up(); l == nil {
			return
		}
		w.robbed(h, l, who)
	}
}

func (w *world) robbed(h *host, l *life, who contact.ODID) {
	made, err := l.Relation.Requests(false)
	if err != nil {
		w.violate("run", "%s: %v", h.name, err)
		return
	}
	charges, err := l.Credit.Charges(0, 1000)
	if err != nil {
		w.violate("run", "%s: %v", h.name, err)
		return
	}
	asks, paid := false, false
	for _, r := range made {
		asks = asks || r.ODID == who
	}
	for _, c := range charges {
		paid = paid || c.Peer == who
	}
	if asks != paid {
		w.violate("credit", "%s crashed as it asked a stranger: on its disk it asks is %v, and that it paid %v", h.name, asks, paid)
	}
}
