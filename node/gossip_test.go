package node_test

import (
	"testing"
	"time"

	"contactsd/presence"
)

// Ana and Carl can't reach each other; Bob, whom both know, can reach both.
func TestStoryOfAMutualContact(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob, carl := w.device("Ana"), w.device("Bob"), w.device("Carl")
		bob.types(ana, ana.showsCode())
		carl.types(ana, ana.showsCode())
		carl.types(bob, bob.showsCode())
		settle(time.Minute)
		w.net.Cut(ana.id.Self(), carl.id.Self())
		settle(5 * time.Minute)
		ana.sets(presence.Busy, "moving house")
		bob.seesPresence(ana, presence.Busy, "moving house")
		settle(time.Minute)
		carl.seesPresence(ana, presence.Busy, "moving house")
		if p := carl.Presence.Of(ana.id.Self()); !p.Relayed {
			t.Error("it does not say that Ana is not connected")
		}

		// Bob does not want to pass on who is there; it stays so after a restart.
		bob.try(bob.SetPolicy(map[string]string{"gossip": "off"}))
		bob.halts()
		bob.starts()
		if bob.Policy().Gossip {
			t.Error("gossip is on again after a restart")
		}
		ana.sets(presence.Online, "there")
		settle(30 * time.Minute)
		bob.seesPresence(ana, presence.Online, "there")
		carl.seesPresence(ana, presence.Unknown, "")
		bob.try(bob.SetPolicy(map[string]string{"gossip": "on"}))
		settle(20 * time.Minute)
		carl.seesPresence(ana, presence.Online, "there")

		// Bob removes Ana: what she says is not his to pass on any more.
		bob.removes(ana)
		settle(time.Minute)
		ana.sets(presence.Away, "not through Bob")
		settle(20 * time.Minute)
		carl.seesPresence(ana, presence.Unknown, "")

		w.net.Heal(ana.id.Self(), carl.id.Self())
		settle(20 * time.Minute)
		carl.seesPresence(ana, presence.Away, "not through Bob")
	})
}
