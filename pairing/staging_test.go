package pairing

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

func (d *device) secret(id contact.PairID) (r secretRecord, ok bool) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		r, ok, err = secrets.Get(tx, id[:])
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return r, ok
}

func (d *device) hasStaged(peer contact.ODID) (staged bool) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		staged, err = d.Staged(tx, peer)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return staged
}

func (d *device) commitStaged(peer contact.ODID, id contact.PairID) (done bool) {
	d.t.Helper()
	err := d.db.Update(func(tx *store.Tx) (err error) {
		done, err = d.CommitStaged(tx, peer, id)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return done
}

// lossy breaks down when E sends a message.
type lossy struct {
	transport.Stream
	lose frameType
}

var errLost = errors.New("lost")

func (l *lossy) Write(b []byte) (int, error) {
	if frameType(b[2]) == l.lose {
		l.Stream.Reset()
		return 0, errLost
	}
	return l.Stream.Write(b)
}

// lossySession runs E's side by hand. It breaks down before E sends the message,
// or, for message 6, before E has taken it in.
func (d *device) lossySession(s *device, digits string, lose frameType) (Result, error) {
	st, err := d.net.Open(d.t.Context(), s.id.Self(), Protocol)
	if err != nil {
		d.t.Fatal(err)
	}
	defer st.Reset()
	side := &entering{
		line:   newLine(&lossy{Stream: st, lose: lose}),
		id:     d.id,
		name:   "E",
		secret: &shownCode{digits: digits},
		commit: func(r Result) error {
			if lose == typeNoise3 {
				return errLost
			}
			return d.db.Update(func(tx *store.Tx) error { return d.commit(tx, r) })
		},
	}
	return side.run()
}

// A lost ACK: E names the pairing, S has it staged, and E's statement finishes it.
func TestLostAckConverges(t *testing.T) {
	for name, between := range map[string]func(n *memnet.Network, s, e *device) (*device, *device){
		"at once":   func(_ *memnet.Network, s, e *device) (*device, *device) { return s, e },
		"S crashed": func(n *memnet.Network, s, e *device) (*device, *device) { return s.restart(n, 1), e },
		"E crashed": func(n *memnet.Network, s, e *device) (*device, *device) { return s, e.restart(n, 2) },
		"29 days late": func(_ *memnet.Network, s, e *device) (*device, *device) {
			<-time.After(29 * 24 * time.Hour)
			return s, e
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				w := s.watchCodes(ShowOptions{Allow: contact.Audio})
				r, err := e.lossySession(s, w.code(t).Digits, typeAck)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if s.names(e.id.Self()) != (contact.PairID{}) || !s.hasStaged(e.id.Self()) {
					t.Fatal("S committed without ACK, or staged nothing")
				}
				if e.names(s.id.Self()) != r.PairID {
					t.Fatal("E did not commit")
				}
				w.leave()
				s, e = between(n, s, e)
				<-time.After(time.Second) // both learn of a crash
				if err := e.state(t.Context(), s.id.Self()); err != nil {
					t.Fatal(err)
				}
				mustPair(t, s, e)
				if s.hasStaged(e.id.Self()) {
					t.Error("still staged")
				}
				rec, ok := s.secret(r.PairID)
				if !ok || rec.Secret != r.Secret || rec.Peer != e.id.Self() {
					t.Error("S has another secret")
				}
			})
		})
	}
}

// E's statement may end the window before ACK does.
func TestStatementEndsTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{Allow: contact.Audio})
		r, err := e.lossySession(s, w.code(t).Digits, typeAck)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.state(t.Context(), s.id.Self()); err != nil {
			t.Fatal(err)
		}
		<-w.ended
		if !w.how.Paired || w.how.PairID != r.PairID || w.err != nil {
			t.Errorf("%+v, %v", w.how, w.err)
		}
		if len(s.committed) != 1 || s.committed[0].Allow != contact.Audio || s.committed[0].Offered != contact.PairedDefault {
			t.Errorf("%+v", s.committed)
		}
	})
}

// A lost message 6: S has it staged, E knows nothing. Neither is paired, the
// window goes on, and pairing again works.
func TestLostMessageSixConverges(t *testing.T) {
	for name, crash := range map[string]bool{"S goes on": false, "S crashed": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				w := s.watchCodes(ShowOptions{})
				if _, err := e.lossySession(s, w.code(t).Digits, typeNoise3); !errors.Is(err, errLost) {
					t.Fatal(err)
				}
				synctest.Wait()
				if !s.hasStaged(e.id.Self()) || s.names(e.id.Self()) != (contact.PairID{}) || e.names(s.id.Self()) != (contact.PairID{}) {
					t.Fatal("not staged at S alone")
				}
				if s.countEvents(contact.PairingStaged) != 1 {
					t.Error("no event")
				}
				if crash {
					w.leave()
					s = s.restart(n, 1)
					w = s.watchCodes(ShowOptions{})
				}
				if !s.hasStaged(e.id.Self()) {
					t.Error("staging lost")
				}
				<-time.After(time.Second) // S learns that the session is over
				if _, err := e.Enter(t.Context(), w.code(t).Code, EnterOptions{}); err != nil {
					t.Fatal(err)
				}
				mustPair(t, s, e)
			})
		})
	}
}

// A mere statement of another pairing, or of another device, commits nothing.
func TestOnlyTheStagedPairingCommits(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{})
		r, err := e.lossySession(s, w.code(t).Digits, typeAck)
		if err != nil {
			t.Fatal(err)
		}
		other := r.PairID
		other[0] ^= 1
		if s.commitStaged(e.id.Self(), other) || s.commitStaged(newIdentity(t, 9).Self(), r.PairID) || s.commitStaged(e.id.Self(), contact.PairID{}) {
			t.Error("committed")
		}
		if s.hasStaged(newIdentity(t, 9).Self()) {
			t.Error("staged with a stranger")
		}
		if !s.commitStaged(e.id.Self(), r.PairID) || s.commitStaged(e.id.Self(), r.PairID) {
			t.Error("not committed exactly once")
		}
	})
}

func TestStagingExpires(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{})
		r, err := e.lossySession(s, w.code(t).Digits, typeAck)
		if err != nil {
			t.Fatal(err)
		}
		w.leave()
		<-time.After(stagingLasts - time.Hour)
		if !s.hasStaged(e.id.Self()) {
			t.Error("expired early")
		}
		<-time.After(time.Hour)
		if s.hasStaged(e.id.Self()) || s.commitStaged(e.id.Self(), r.PairID) {
			t.Error("still staged")
		}
		<-time.After(2 * expireEvery)
		synctest.Wait()
		rows := 0
		err = s.db.View(func(tx *store.Tx) error {
			for _, err := range stagings.Scan(tx, store.Range{}) {
				if err != nil {
					return err
				}
				rows++
			}
			return nil
		})
		if err != nil || rows != 0 {
			t.Errorf("%d rows left, %v", rows, err)
		}
	})
}

// A refusal of the rest of the device (blocked meanwhile) leaves it staged.
func TestRefusedCommitKeepsTheStaging(t *testing.T) {
	bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
		w := s.watchCodes(ShowOptions{})
		commit := s.cfg.Commit
		refusing := errors.New("blocked meanwhile")
		s.cfg.Commit = func(*store.Tx, Result) error { return refusing }
		e.confirm = nil
		r, err := e.lossySession(s, w.code(t).Digits, 0)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !s.hasStaged(e.id.Self()) || w.isOver() {
			t.Fatal("staging lost, or the window ended")
		}
		if _, ok := s.secret(r.PairID); ok {
			t.Error("a secret without a pairing")
		}
		s.cfg.Commit = commit
		if !s.commitStaged(e.id.Self(), r.PairID) {
			t.Error("not committed")
		}
	})
}

// The records as they lie on the disk.
func TestRecordsGolden(t *testing.T) {
	var secret Secret
	copy(secret[:], fill(32, 0x55))
	var peer contact.ODID
	copy(peer[:], fill(32, 0xaa))
	hexSecret, hexPeer := strings.Repeat("55", 32), strings.Repeat("aa", 32)
	audio := "65" + hex.EncodeToString([]byte("audio"))
	for _, c := range []struct {
		name   string
		record any
		want   string
	}{
		{"guesses", guessRecord{Times: []int64{1, 1000}}, "a1" + "0182" + "01" + "1903e8"},
		{"guesses at long codes", guessRecord{[]int64{1}, []int64{1000}}, "a2" + "018101" + "02811903e8"},
		{"staged", stagingRecord{1000, secret, "Eve", contact.Audio, 0}, "a5" + "011903e8" + "025820" + hexSecret + "0363" + hex.EncodeToString([]byte("Eve")) + "0481" + audio + "0580"},
		{"secrets", secretRecord{peer, secret, 1000}, "a3" + "015820" + hexPeer + "025820" + hexSecret + "031903e8"},
	} {
		b, err := codec.Marshal(c.record)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, n := range []int{31, 33} {
		b, err := codec.Marshal(struct {
			Secret []byte `cbor:"2,keyasint"`
		}{fill(n, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if err := codec.Unmarshal(b, new(stagingRecord)); err == nil {
			t.Errorf("a secret of %d bytes was read", n)
		}
	}
}

// Whoever holds an ACK back and pairs again must not have a pairing in hand that
// can be finished after the user removed it, or that stands above the newer one.
func TestNoStagedPairingOutlivesANewerWord(t *testing.T) {
	for name, word := range map[string]func(tx *store.Tx, s, e *device) error{
		"another pairing": func(tx *store.Tx, s, e *device) error {
			return s.commit(tx, Result{Peer: e.id.Self(), PairID: contact.PairID{9}})
		},
		"a removal": func(tx *store.Tx, s, e *device) error { return s.DropStaged(tx, e.id.Self(), time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
				w := s.watchCodes(ShowOptions{})
				r, err := e.lossySession(s, w.code(t).Digits, typeAck)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				w.leave()
				if !s.hasStaged(e.id.Self()) {
					t.Fatal("nothing staged")
				}
				if err := s.db.Update(func(tx *store.Tx) error { return word(tx, s, e) }); err != nil {
					t.Fatal(err)
				}
				if s.hasStaged(e.id.Self()) || s.commitStaged(e.id.Self(), r.PairID) {
					t.Error("the pairing held back can still be finished")
				}
			})
		})
	}
}
