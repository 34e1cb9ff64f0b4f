package sim

import (
	"context"

	"contactsd/check"
	"contactsd/contact"
)

// inquire has a user check whether the other device lists or blocks this one. It goes
// on beside what else happens.
func inquire(w *world, s Step, a, b *host) bool {
	l := a.up()
	if l == nil || l.isDead() {
		return false
	}
	q := []contact.Question{contact.QuestionListed, contact.QuestionBlocked}[s.N%2]
	w.mu.Lock()
	w.deals[a.i][b.i].asking++
	since := w.beliefs[b.i][a.i].mark()
	w.mu.Unlock()
	w.talks.Go(func() {
		results, err := l.Check.Check(context.Background(), []contact.ODID{b.self()}, check.Options{Question: q, Both: true, Live: true})
		sure := w.did(l, err, "checks what %s says of it", b.name)
		w.mu.Lock()
		w.deals[a.i][b.i].asking--
		w.mu.Unlock()
		if sure && err == nil && results[0].Source == check.SourceLive {
			w.answered(a, b, q, results[0].Check, since)
		}
	})
	return true
}

// answered compares an answer with what the asked user held since the question.
func (w *world) answered(a, b *host, q contact.Question, r contact.CheckResult, since int) {
	if q == contact.QuestionBlocked {
		w.violate("check", "%s told %s whether it blocks it", b.name, a.name)
		return
	}
	listed := r == contact.CheckBothWay || r == contact.CheckBWithA
	w.mu.Lock()
	held := w.beliefs[b.i][a.i].held(since, func(s standing) bool { return s.shown().listed == listed })
	w.mu.Unlock()
	if !held {
		w.violate("check", "%s asked %s and was told %v", a.name, b.name, r)
	}
}
