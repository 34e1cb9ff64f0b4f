package presence

import (
	"testing"
	"time"

	"contactsd/store"
)

// What was said before a connection ended for want of room holds, at both ends,
// but not for ever.
func TestStateHoldsAfterPartingOnPurpose(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		b.set(Busy, "writing")
		pass(3 * time.Hour)
		start := time.Now()
		a.svc.Part(b.self())
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("parting took %v", took)
		}
		pass(time.Second)
		a.net.Disconnect(b.self())
		pass(10 * time.Minute)
		if p := a.sees(b, Busy, "writing"); !p.Relayed {
			t.Error("it does not say that b is not connected")
		}
		b.sees(a, Online, "")
		pass(6 * time.Minute)
		a.sees(b, Unknown, "")
		b.sees(a, Unknown, "")
		a.connect(b)
		a.sees(b, Busy, "writing")
		b.sees(a, Online, "")
	})
}

// A deaf peer holds nobody up, and who comes back at once is told again.
func TestPartingDoesNotWaitForADeafPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		a.befriend(b)
		w.net.Cut(a.self(), b.self())
		start := time.Now()
		a.svc.Part(b.self())
		if took := time.Since(start); took > partTime {
			t.Errorf("parting took %v", took)
		}
		a.net.Disconnect(b.self())
		w.net.Heal(a.self(), b.self())
		pass(time.Minute)
		a.connect(b)
		b.sees(a, Online, "")
	})
}

// Who is not connected hears on through others, without a gap.
func TestWhoPartedHearsThroughOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, r, b := w.device(1), w.device(2), w.device(3)
		for _, d := range []*device{r, b} {
			a.befriend(d)
		}
		r.befriend(b)
		pass(20 * time.Second)
		a.svc.Part(b.self())
		a.net.Disconnect(b.self())
		for range 60 {
			pass(time.Minute)
			b.sees(a, Online, "")
			a.sees(b, Online, "")
		}
		b.set(Away, "now")
		a.sees(b, Away, "now")
	})
}

func TestWhoIsOwedTheKey(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, b := w.device(1), w.device(2)
		owes := func() (yes bool) {
			t.Helper()
			if err := a.db.View(func(tx *store.Tx) (err error) {
				yes, err = a.svc.Owes(tx, b.self())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return yes
		}
		if owes() {
			t.Error("a stranger is owed the key")
		}
		a.relate(b.self(), accepted(0))
		if owes() {
			t.Error("who may not see the state is owed the key")
		}
		a.befriend(b)
		if owes() {
			t.Error("who holds the key is owed it")
		}
		w.net.Drop(a.self(), b.self())
		c := w.device(3)
		a.befriend(c)
		a.relate(c.self(), accepted(0)) // so the key is replaced
		pass(time.Second)
		if !owes() {
			t.Error("who holds an old key is not owed the new one")
		}
	})
}
