package message

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/store"
	"contactsd/transport"
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

// attempt has a device that is not running deliver to one that says what is
// written to say, and returns what that one hears.
func (d *device) attempt(t *testing.T, peer *device) (heard *script, say *io.PipeWriter) {
	t.Helper()
	st := newScript(peer.self, nil)
	st.in, say = io.Pipe()
	d.attemptOn(t, peer, st)
	return st, say
}

func (d *device) attemptOn(t *testing.T, peer *device, st transport.Stream) {
	t.Helper()
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
}

func hello(t *testing.T, h have) []byte {
	t.Helper()
	e := testEpoch(1)
	return frames(t, frame{Type: frameHello, Epoch: &e, Have: &h})
}

// A store that is a copy put back by hand must not number anything before it
// knows what the contact holds: it would take it for what it has forgotten.
func TestNothingIsNumberedBeforeTheHelloIsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		w.alice.write(w.bob, "in the copy")
		st, say := w.alice.attempt(t, w.bob)
		say.Write(hello(t, have{}))
		synctest.Wait()
		sent := st.heard(t)
		if len(sent) != 1 || sent[0].Seq != 1 {
			t.Fatalf("heard %+v", sent)
		}
		say.Close()
		synctest.Wait()

		release := w.alice.hold()
		var late Message
		go func() { late = w.alice.write(w.bob, "written while the hello comes") }()
		synctest.Wait()
		// After the copy was made there was a second number, which was skipped.
		st, say = w.alice.attempt(t, w.bob)
		say.Write(hello(t, have{Epoch: *sent[0].Epoch, Seq: 2}))
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
		say.Close()
		synctest.Wait()
	})
}

// What could not be written down is asked for again, also if the stream ends
// before the store has said so.
func TestAnAcknowledgementThatCouldNotBeWrittenDownIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		m := w.alice.write(w.bob, "first")
		st, say := w.alice.attempt(t, w.bob)
		say.Write(hello(t, have{}))
		synctest.Wait()
		spoilt := store.NewTable[string]("message.outbox", 1)
		if err := w.alice.db.Update(func(tx *store.Tx) error {
			return spoilt.Put(tx, placeKey(w.bob.self, m.Cursor), "spoilt")
		}); err != nil {
			t.Fatal(err)
		}

		release, told := w.alice.hold(), make(chan struct{})
		w.alice.db.Later(func(*store.Tx) error { return nil }, func(error) { <-told }) // slow to hear of it
		synctest.Wait()
		sent := st.heard(t)[0]
		say.Write(frames(t, frame{Type: frameAck, Epoch: sent.Epoch, Seq: sent.Seq}))
		say.Close()
		synctest.Wait()
		release()
		synctest.Wait()
		close(told)
		synctest.Wait()
		if w.alice.svc.sched.lanes[w.bob.self] == nil {
			t.Error("nobody looks at the queue any more")
		}
	})
}

// slow is a script that takes what is written when it is let.
type slow struct {
	*script
	let chan struct{}
}

func (s slow) Write(p []byte) (int, error) {
	<-s.let
	return s.script.Write(p)
}

// Whoever sent a message may use its buffer again, while the stream takes its time.
func TestABodyIsTheCallersAgainAfterSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		w.alice.write(w.bob, "first")
		st := newScript(w.bob.self, frames(t, frame{Type: frameHello, Epoch: &Epoch{1}, Have: &have{}}))
		st.hold = true
		let := make(chan struct{})
		w.alice.attemptOn(t, w.bob, slow{st, let})
		let <- struct{}{}
		w.alice.write(w.bob, "second")
		synctest.Wait()

		body := []byte("third")
		if _, err := w.alice.svc.Send(w.bob.self, newID(t), KindText, body); err != nil {
			t.Fatal(err)
		}
		copy(body, "other")
		close(let)
		synctest.Wait()
		fs := st.heard(t)
		if len(fs) != 3 || string(fs[2].Body) != "third" {
			t.Errorf("heard %+v", fs)
		}
		st.Reset()
		synctest.Wait()
	})
}

// What can be read of a commit that is under way is not on the disk yet, and must
// not be sent: after a power cut only the contact would have it.
func TestWhatIsSentWaitsForTheCommitUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		w.alice.write(w.bob, "first")
		h := have{}
		all := step{hello: &h, frames: windowFrames, bytes: windowBytes}
		if c, err := w.alice.svc.step(w.bob.self, all); err != nil || len(c.frames) != 1 {
			t.Fatal(c, err)
		}
		all.hello = nil
		release, read := w.alice.hold(), false
		go func() {
			if c, err := w.alice.svc.step(w.bob.self, all); err != nil || len(c.frames) != 1 {
				t.Error(c, err)
			}
			read = true
		}()
		synctest.Wait()
		if read {
			t.Error("it was read while a commit was under way")
		}
		release()
		synctest.Wait()
	})
}
