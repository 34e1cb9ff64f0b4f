package message

import (
	"testing"
	"testing/synctest"
	"time"

	"contactsd/store"
)

// hold keeps the store from committing until release is called.
func (d *device) hold() (release func()) {
	d.t.Helper()
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.db.Update(func(*store.Tx) error {
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	return func() {
		d.t.Helper()
		close(free)
		if err := <-done; err != nil {
			d.t.Fatal(err)
		}
	}
}

// attempt has a device that is not running deliver to one that says this, and
// returns what that one hears.
func (d *device) attempt(t *testing.T, peer *device, says ...frame) *script {
	t.Helper()
	st := newScript(peer.self, frames(t, says...))
	st.hold = true
	d.svc.net = scripted{st: st}
	d.svc.mu.Lock()
	l := d.svc.sched.lane(peer.self)
	d.svc.sched.at(l, time.Now())
	begin, _ := d.svc.sched.start(time.Now())
	d.svc.mu.Unlock()
	if len(begin) != 1 {
		t.Fatalf("%d attempts begin", len(begin))
	}
	go d.svc.attempt(t.Context(), begin[0])
	return st
}

// A store that is a copy put back by hand must not number anything before it
// knows what the contact holds: it would take it for what it has forgotten.
func TestNothingIsNumberedBeforeTheHelloIsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		w.alice.write(w.bob, "in the copy")
		e := testEpoch(1)
		st := w.alice.attempt(t, w.bob, frame{Type: frameHello, Epoch: &e, Have: &have{}})
		synctest.Wait()
		sent := st.heard(t)
		if len(sent) != 1 || sent[0].Seq != 1 {
			t.Fatalf("heard %+v", sent)
		}
		st.Reset()
		synctest.Wait()

		release := w.alice.hold()
		var late Message
		go func() { late = w.alice.write(w.bob, "written while the hello comes") }()
		synctest.Wait()
		// After the copy was made there was a second number, which was skipped.
		st = w.alice.attempt(t, w.bob, frame{Type: frameHello, Epoch: &e, Have: &have{Epoch: *sent[0].Epoch, Seq: 2}})
		synctest.Wait()
		release()
		synctest.Wait()
		arrived := false
		for _, f := range st.heard(t) {
			arrived = arrived || *f.ID == late.ID
		}
		if m := w.alice.get(late.ID); !arrived {
			t.Errorf("the message is %s and was never sent", m.State)
		}
		st.Reset()
		synctest.Wait()
	})
}
