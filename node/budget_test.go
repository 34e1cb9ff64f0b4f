package node_test

import (
	"fmt"
	"testing"
	"time"

	"contactsd/presence"
)

// Ana has more contacts than a device keeps connections. Those she is not connected
// with learn how she is from contacts they share with her, and what she writes
// reaches all of them.
func TestMoreContactsThanConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("seventy devices")
	}
	const contacts, connections = 70, 64
	tell(t, func(t *testing.T, w *world) {
		ana := w.device("Ana")
		var friends []*person
		for i := range contacts {
			f := w.device(fmt.Sprintf("Friend %d", i))
			f.types(ana, ana.showsCode())
			if i > 0 {
				f.types(friends[i-1], friends[i-1].showsCode())
			}
			friends = append(friends, f)
		}
		friends[0].types(friends[contacts-1], friends[contacts-1].showsCode())
		settle(2 * time.Hour)

		if n := len(ana.link.Connected()); n > connections {
			t.Errorf("Ana keeps %d connections, want at most %d", n, connections)
		}
		ana.sets(presence.Busy, "moving house")
		settle(10 * time.Minute)
		relayed := 0
		for _, f := range friends {
			f.seesPresence(ana, presence.Busy, "moving house")
			if f.Presence.Of(ana.id.Self()).Relayed {
				relayed++
			}
		}
		if least := contacts - connections; relayed < least {
			t.Errorf("%d heard it from others, want at least %d", relayed, least)
		}

		for _, f := range friends {
			ana.writes(f, "I have moved")
		}
		settle(time.Hour)
		for _, f := range friends {
			f.hasRead(ana, "I have moved")
		}
	})
}
