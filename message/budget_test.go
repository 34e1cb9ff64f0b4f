package message

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"contactsd/contact"
)

func TestABudgetIsSharedAndKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b budget
		streams := make([]share, rapid.IntRange(1, 600).Draw(t, "streams"))
		for i := range streams {
			streams[i].b = &b
		}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			s := &streams[rapid.IntRange(0, len(streams)-1).Draw(t, "stream")]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0: // a receiver takes what it is not too full for
				if !s.full() {
					s.add(rapid.IntRange(frameCost, MaxBodySize+frameCost).Draw(t, "frame"))
				}
			case 1: // a sender that holds nothing reads from the disk
				if s.own == 0 {
					want := rapid.IntRange(1, windowBytes).Draw(t, "want")
					if got := s.allow(want); got > want || got < min(want, leastOut) {
						t.Fatalf("%d of %d are allowed", got, want)
					}
				}
			case 2:
				if s.own > 0 {
					s.release(rapid.IntRange(1, s.own).Draw(t, "less"))
				}
			case 3:
				s.drop()
			}
			sum, holders := 0, 0
			for i := range streams {
				sum += streams[i].own
				if streams[i].own > 0 {
					holders++
				} else if streams[i].full() {
					t.Fatal("a stream that holds nothing is full")
				}
			}
			if b.held != sum || b.holders != holders {
				t.Fatalf("%d held by %d, want %d by %d", b.held, b.holders, sum, holders)
			}
			if most := maxHeld + holders*(MaxBodySize+frameCost); b.held > most {
				t.Fatalf("%d bytes are held, at most %d may be", b.held, most)
			}
		}
	})
}

// A thousand contacts send at once to a device whose disk takes its time.
func TestWhatAllSendAtOnceTakesBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, each, size = 1000, 64, 8 << 10
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		e := testEpoch(5)
		var says []frame
		for i := range each {
			f := msg(e, uint64(i+1), byte(i+1))
			f.Body = bytes.Repeat([]byte{'m'}, size)
			says = append(says, f)
		}
		all := frames(t, says...)
		release := w.alice.hold()
		peers := make([]contact.ODID, streams)
		for i := range peers {
			peers[i] = contact.ODID{byte(i), byte(i >> 8), 1}
			go w.alice.svc.Handle(t.Context(), newScript(peers[i], all), contact.Serve)
		}
		synctest.Wait()
		b := &w.alice.svc.incoming
		if most := maxHeld + streams*(size+frameCost); b.held > most || b.holders != streams {
			t.Errorf("%d bytes are held by %d streams, want at most %d", b.held, b.holders, most)
		}
		// One of them is a contact, and gets all of its messages in.
		w.alice.mu.Lock()
		w.alice.views[peers[streams/2]] = accepted
		w.alice.mu.Unlock()
		release()
		synctest.Wait()
		page, err := w.alice.svc.History(peers[streams/2], Query{})
		if err != nil || len(page.Messages) != each {
			t.Errorf("%d messages of the contact are stored, %v", len(page.Messages), err)
		}
		if b.held != 0 || b.holders != 0 {
			t.Errorf("in the end %d bytes are held by %d streams", b.held, b.holders)
		}
	})
}

// Where nobody reads, what waits to be written is bounded, and the others get on.
func TestReceiversThatHangHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hang, each = 40, 20
		w := newWorld(t)
		serveScript(t, w.alice, w.bob.self)
		s := w.alice.svc
		body := bytes.Repeat([]byte{'m'}, MaxBodySize)
		let := make(chan struct{})
		for i := range hang {
			d := newDeviceOf(t, w, 1000+i)
			w.alice.relate(d, accepted)
			for range each {
				w.alice.write(d, string(body))
			}
			st := newScript(d.self, hello(t, have{}))
			st.hold = true
			w.alice.attemptOn(t, d, slow{st, let})
			synctest.Wait()
			defer st.Reset()
		}
		if most := maxHeld + hang*leastOut; s.outgoing.held > most || s.outgoing.holders != hang {
			t.Errorf("%d bytes are held by %d streams, want at most %d", s.outgoing.held, s.outgoing.holders, most)
		}
		for i := range 3 {
			w.alice.write(w.bob, strconv.Itoa(i))
		}
		st, say := w.alice.attempt(t, w.bob)
		say.Write(hello(t, have{}))
		synctest.Wait()
		if sent := st.heard(t); len(sent) != 3 {
			t.Errorf("%d messages were sent to one that reads", len(sent))
		}
		say.Close()
		close(let)
	})
}
