package relation

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
)

// pipe is one end of a stream within the test, that counts what goes over it.
type pipe struct {
	io.Reader
	io.WriteCloser
	peer  contact.ODID
	bytes *atomic.Int64 // of both directions
}

func (p *pipe) Write(b []byte) (int, error) {
	p.bytes.Add(int64(len(b)))
	return p.WriteCloser.Write(b)
}

func (p *pipe) CloseWrite() error           { return nil }
func (p *pipe) Reset() error                { return p.Close() }
func (p *pipe) SetDeadline(time.Time) error { return nil }
func (p *pipe) Peer() contact.ODID          { return p.peer }

// meeting is two devices that exchange over pipes.
type meeting struct {
	t    *testing.T
	ids  [2]*identity.Identity
	s    [2]*Service
	name [2]string
	at   [2]addressBook
}

// addressBook says which addresses a device has.
type addressBook struct {
	transport.Addresses
	own []transport.Address
}

func (a *addressBook) Own() []transport.Address { return a.own }

func newMeeting(t *testing.T) *meeting {
	m := &meeting{t: t, name: [2]string{"Ada", "Bob"}}
	for i := range m.s {
		m.ids[i] = testIdentity(t, byte(i+1))
		m.s[i] = newTestService(t, m.ids[i])
		m.at[i] = addressBook{m.s[i].cfg.Addresses, []transport.Address{"10.0.0.1:1", "[2001:db8::1]:1"}}
		m.s[i].cfg.Addresses = &m.at[i]
		m.s[i].cfg.Name = func() string { return m.name[i] }
	}
	return m
}

// list has each list the other.
func (m *meeting) list() {
	m.t.Helper()
	for i, s := range m.s {
		if _, _, err := s.Add(m.ids[1-i].Self(), AddOptions{}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// meet has device i open an exchange, and returns how many bytes that took.
func (m *meeting) meet(i int) int64 {
	m.t.Helper()
	var n atomic.Int64
	hereIn, thereOut := io.Pipe()
	thereIn, hereOut := io.Pipe()
	here := &pipe{hereIn, hereOut, m.ids[1-i].Self(), &n}
	there := &pipe{thereIn, thereOut, m.ids[i].Self(), &n}
	var party contact.Party
	err := m.s[1-i].cfg.DB.View(func(tx *store.Tx) (err error) {
		party, err = m.s[1-i].Party(tx, m.ids[i].Self())
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	var handled sync.WaitGroup
	handled.Go(func() { m.s[1-i].Handle(m.t.Context(), there, contact.Allow(party, contact.ServiceRelation)) })
	if err := m.s[i].exchange(here, m.ids[1-i].Self(), false); err != nil {
		m.t.Fatal(err)
	}
	here.Close()
	handled.Wait()
	return n.Load()
}

// agree fails unless each holds what the other says.
func (m *meeting) agree() {
	m.t.Helper()
	for i, s := range m.s {
		own, err := s.say(m.ids[1-i].Self())
		if err != nil {
			m.t.Fatal(err)
		}
		other, err := m.s[1-i].say(m.ids[i].Self())
		if err != nil {
			m.t.Fatal(err)
		}
		c, err := m.s[1-i].Get(m.ids[i].Self())
		if err != nil || !same(own.Mine, other.Yours) || c.Name != m.name[i] {
			m.t.Errorf("device %d does not hold what %d says: %v, called %q", 1-i, i, err, c.Name)
		}
	}
}

// briefBytes is what two contacts that have no news may send each other, frames and
// both directions.
const briefBytes = 100

// TestContactsWithoutNewsAreBrief counts the bytes of an exchange with nothing new,
// and of one after each kind of news, which must not stay untold.
func TestContactsWithoutNewsAreBrief(t *testing.T) {
	m := newMeeting(t)
	m.list()
	m.meet(0)
	m.meet(1)
	m.agree()
	wording := "May I"
	for name, news := range map[string]func(i int){
		"nothing": nil,
		"a name":  func(i int) { m.name[i] += "!" },
		"addresses": func(i int) {
			m.at[i].own = append([]transport.Address{"10.0.0.2:2"}, m.at[i].own...)
		},
		"a statement": func(i int) {
			wording += "?"
			if _, err := m.s[i].Ask(m.ids[1-i].Self(), AskOptions{Permissions: contact.Audio, Wording: wording, OneWay: true}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for opens := range m.s {
			for has := range m.s {
				if news != nil {
					news(has)
					if n := m.meet(opens); n <= briefBytes {
						t.Errorf("%s: told in %d bytes", name, n)
					}
					m.agree()
				}
				for range 2 { // what followed from it, an answer, goes with the first
					m.meet(1 - opens)
				}
				if n := m.meet(opens); n > briefBytes {
					t.Errorf("after %s: %d bytes without news, at most %d", name, n, briefBytes)
				}
				m.agree()
			}
		}
	}
}

// TestBriefnessIsForContacts: who is not listed, or lost its store, pays for all of it.
func TestBriefnessIsForContacts(t *testing.T) {
	m := newMeeting(t)
	m.list()
	m.meet(0)
	m.meet(1)
	peer := m.ids[1].Self()
	if n := m.meet(1); n > briefBytes {
		t.Fatalf("%d bytes", n)
	}
	brief, err := m.s[1].say(m.ids[0].Self())
	if err != nil {
		t.Fatal(err)
	}
	f, ok := brief.brief()
	if !ok {
		t.Fatal("not brief")
	}
	if err := m.s[0].Remove(peer, false); err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	if err := transport.WriteFrame(&in, f, maxFrame); err != nil {
		t.Fatal(err)
	}
	if err := transport.WriteFrame(&in, brief.frame, maxFrame); err != nil {
		t.Fatal(err)
	}
	if got := hears(t, m.s[0], peer, in.Bytes()); got[0][:2] != "\x01\xa0" || len(got[0]) < briefBytes {
		t.Errorf("removed, and it is told %x", got[0])
	}
	m.meet(0) // now it knows
	if got := hears(t, m.s[0], peer, in.Bytes()); got[0][:2] != "\x01\xa0" {
		t.Errorf("a stranger, and it is told %x", got[0])
	}
}
