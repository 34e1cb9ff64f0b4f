package sim

import (
	"bytes"
	"context"
	"errors"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/spam"
	"contactsd/store"
	"contactsd/transport"
)

// reportRequest reports a request of another device as spam.
func reportRequest(w *world, s Step, a, b *host) bool {
	w.denounces(a, b)
	w.mu.Lock()
	w.answers[a.i][b.i] = true
	w.mu.Unlock()
	return w.decide(a, b, decision{
		what: "reports the request of",
		call: func(l *life) error {
			_, failed, err := l.Relation.Answer([]string{b.self().String()}, false, relation.Answer{Response: relation.Report, NoTell: s.N%4 == 0, NoShare: s.M%4 == 0})
			return errors.Join(append(failed, err)...)
		},
		change: func(s standing) (standing, bool) {
			s.blocked = true
			return s, true
		},
		done: (*belief).drop,
	})
}

// release lets a request out of quarantine.
func release(w *world, _ Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	w.mu.Lock()
	w.choices[a.i].places++ // who is let out may be one more than there are places
	w.mu.Unlock()
	failed, err := l.Relation.Release([]string{b.self().String()})
	err = errors.Join(append(failed, err)...)
	if needless(err) {
		w.mu.Lock()
		w.choices[a.i].places--
		w.mu.Unlock()
	}
	w.did(l, err, "lets the request of %s out of quarantine", b.name)
	return !needless(err)
}

// denounces notes that the user of a, or a program in its name, has reported b.
func (w *world) denounces(a, b *host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denounced[a.i][b.i] = true
}

// accuse has others bring a device reports on b, as hostile programs would: in the
// name of each of the others, without its signature, and of strangers. With an odd
// number of the step the others conspire: they report what they were never asked.
func accuse(w *world, s Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	w.line.note("%s is brought reports on %s", a.name, b.name)
	for _, c := range w.hosts {
		if c == a || c == b {
			continue
		}
		r := w.reportOn(l, c.id, b)
		if encoded, err := r.Encode(); err == nil {
			w.brings(l, c.self(), contact.Signed{Bytes: encoded, Sig: make([]byte, 64)})
		}
		if s.N%2 == 1 {
			w.denounces(c, b)
			w.signs(l, c.id, r)
		}
	}
	for i := range byte(3) {
		stranger, err := identity.FromSeed([32]byte{0xfe, i})
		if err != nil {
			w.violate("run", "%v", err)
			return true
		}
		w.signs(l, stranger, w.reportOn(l, stranger, b))
	}
	return true
}

// reportOn makes a report on b with evidence: b's program signs what it never asked.
func (w *world) reportOn(l *life, by *identity.Identity, b *host) contact.Report {
	now := uint64(l.db.Now().UnixMilli())
	r := contact.Report{Reporter: by.Self(), Reported: b.self(), Seq: now, At: now}
	signed, err := b.id.SignStatement(contact.Statement{
		Author: b.self(), Subject: by.Self(), Seq: 1, Ask: &contact.Ask{ID: contact.AskID{1}, Permissions: contact.Messages, Wording: "please"},
	})
	if err != nil {
		w.violate("run", "%v", err)
		return r
	}
	if st, err := signed.Open(); err == nil {
		d, _ := st.Ask.Digest()
		r.Evidence = &contact.Evidence{Ask: d, Proof: st.Ask.Proof, Seen: now}
	}
	return r
}

func (w *world) signs(l *life, by *identity.Identity, r contact.Report) {
	if signed, err := by.SignReport(r); err == nil {
		w.brings(l, by.Self(), signed)
	}
}

// brings opens a stream from a device through the gate's rule, and brings a report.
func (w *world) brings(l *life, from contact.ODID, signed contact.Signed) {
	var party contact.Party
	err := l.db.View(func(tx *store.Tx) (err error) {
		party, err = l.Relation.Party(tx, from)
		return err
	})
	if err != nil || contact.Allow(party, contact.ServiceReports) != contact.Serve {
		return
	}
	st := &bringer{peer: from}
	if err := transport.WriteFrame(&st.in, map[int]any{1: signed}, 2<<10); err != nil {
		w.violate("run", "%v", err)
		return
	}
	l.Spam.Handle(context.Background(), st, contact.Serve)
}

// bringer is a stream on which a peer says in and hears nothing.
type bringer struct {
	peer contact.ODID
	in   bytes.Buffer
}

func (s *bringer) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *bringer) Write(b []byte) (int, error) { return len(b), nil }
func (s *bringer) Close() error                { return nil }
func (s *bringer) CloseWrite() error           { return nil }
func (s *bringer) Reset() error                { return nil }
func (s *bringer) SetDeadline(time.Time) error { return nil }
func (s *bringer) Peer() contact.ODID          { return s.peer }

// reports looks at what a device holds of reports, and at what it keeps apart for them.
func (w *world) reports(h *host, l *life) {
	list, err := l.Spam.Reports()
	held, err2 := l.Relation.Quarantine()
	if err := errors.Join(err, err2); err != nil || h.up() != l || l.isDead() {
		return // it stops just now
	}
	for _, r := range list {
		w.checkReport(h, r)
	}
	for _, r := range held {
		if r.Held == contact.SuspectedReports {
			w.checkHeld(h, l, r)
		}
	}
}

func (w *world) checkReport(h *host, r spam.Reported) {
	w.mu.Lock()
	on, known := w.index[r.ODID]
	by, member := w.index[r.Reporter]
	made := known && member && w.denounced[by][on]
	w.mu.Unlock()
	if !made {
		w.violate("report", "%s holds a report of %s on %s, that it never made", h.name, r.Reporter.Short(), r.ODID.Short())
	}
}

func (w *world) checkHeld(h *host, l *life, r relation.Request) {
	w.mu.Lock()
	o := w.index[r.ODID]
	reporters := 0
	for c := range w.hosts {
		if c != h.i && w.denounced[c][o] {
			reporters++
		}
	}
	w.mu.Unlock()
	if reporters < 3 {
		w.violate("report", "%s keeps the request of %s apart, which %d have reported", h.name, w.hosts[o].name, reporters)
	}
	var v contact.View
	err := l.db.View(func(tx *store.Tx) (err error) {
		v, _, err = l.Relation.View(tx, r.ODID)
		return err
	})
	if err == nil && v.Trust >= contact.Paired && w.stillHeld(l, r) {
		w.violate("report", "%s keeps the request of %s apart, with which it is paired", h.name, w.hosts[o].name)
	}
}

// stillHeld reports whether a request is in quarantine now: it may have come out
// between two looks.
func (w *world) stillHeld(l *life, r relation.Request) bool {
	list, err := l.Relation.Quarantine()
	for _, o := range list {
		if o.ID == r.ID {
			return err == nil
		}
	}
	return false
}
