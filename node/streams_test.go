package node_test

import (
	"io"
	"testing"
	"time"

	"contactsd/check"
	"contactsd/contact"
	"contactsd/file"
	"contactsd/identity"
	"contactsd/node"
	"contactsd/spam"
	"contactsd/transport"
)

// What the gate decides is counted: of a contact's streams, and of a stranger's.
func TestStreamsAreCountedByDecision(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("ana"), w.device("bob")
		if got := ana.Streams(); got != (node.Streams{}) {
			t.Errorf("before anybody came: %v", got)
		}
		bob.types(ana, ana.showsCode())
		bob.writes(ana, "hello")
		bob.checks(ana, contact.QuestionListed, contact.CheckBothWay, check.SourceLive)
		for _, p := range []transport.Protocol{file.Protocol, spam.Protocol} {
			st, err := bob.Network.Open(t.Context(), ana.id.Self(), p)
			bob.try(err)
			st.CloseWrite()
			settle(time.Second)
			st.Reset()
		}
		bob.looksAt(ana)
		ana.givesCard(bob)
		served := ana.Streams()
		for service, counts := range served {
			for d, n := range counts {
				if (n > 0) != (contact.Decision(d) == contact.Serve) {
					t.Errorf("of a contact, %v: %d times %v", contact.Service(service), n, contact.Decision(d))
				}
			}
		}
		id, err := identity.FromSeed([32]byte{99})
		if err != nil {
			t.Fatal(err)
		}
		stranger := attack(t, w.net, id)
		for _, p := range protocols() {
			st, err := stranger.link.Open(t.Context(), ana.id.Self(), p)
			if err != nil {
				t.Fatal(err)
			}
			st.CloseWrite()
			io.ReadAll(st)
			st.Reset()
		}
		now := ana.Streams()
		for service := range now {
			want := contact.Drop
			switch contact.Service(service) {
			case contact.ServiceRelation, contact.ServiceProfile:
				want = contact.ServeStranger
			}
			for d := range now[service] {
				came := now[service][d] - served[service][d]
				if contact.Decision(d) == contact.Serve {
					continue // of the contact, whenever it likes
				}
				if (came == 1) != (contact.Decision(d) == want) {
					t.Errorf("of a stranger, %v: %d times %v", contact.Service(service), came, contact.Decision(d))
				}
			}
		}
	})
}
