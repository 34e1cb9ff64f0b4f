package relation_test

import (
	"slices"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

// popular returns a device with a budget and more contacts that are online, each
// listing the other.
func popular(w *world, budget, contacts int) (*device, []*device) {
	w.t.Helper()
	hub := w.device('a')
	hub.halt()
	hub.budget = budget
	hub.start()
	var others []*device
	for i := range contacts {
		o := w.device(byte('b' + i))
		others = append(others, o)
		hub.add(o, relation.AddOptions{})
		o.add(hub, relation.AddOptions{})
		time.Sleep(time.Second)
	}
	return hub, others
}

func dials(devices ...*device) (n uint64) {
	for _, d := range devices {
		n += d.link.Tally().Dialled
	}
	return n
}

// More contacts online than there are places: as many as there are stay
// connected, and nobody takes turns.
func TestConnectionsBeyondTheBudgetComeToRest(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		hub, others := popular(w, 4, 12)
		settle()
		for _, o := range others {
			o.is(hub, contact.StatusAccepted, contact.Untrusted)
		}
		if n := len(hub.link.Connected()); n != 4 {
			t.Fatalf("%d connected with a budget of 4", n)
		}
		before := dials(append(others, hub)...)
		kept := hub.link.Connected()
		time.Sleep(3 * time.Hour)
		if n := dials(append(others, hub)...) - before; n > 0 {
			t.Errorf("%d dials in three hours in which nobody had anything to say", n)
		}
		time.Sleep(21 * time.Hour)
		if n := dials(append(others, hub)...) - before; n > 8*24/4 {
			t.Errorf("%d dials in a day in which nobody had anything to say", n)
		}
		now := hub.link.Connected()
		for _, peer := range kept {
			if !slices.Contains(now, peer) {
				t.Error("somebody else took a place")
			}
		}
	})
}

// Who is not connected is reached when there is something to say, from both ends.
func TestWhoIsNotKeptIsReachedWithAReason(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		hub, others := popular(w, 4, 8)
		settle()
		connected := make(map[contact.ODID]bool)
		for _, peer := range hub.link.Connected() {
			connected[peer] = true
		}
		var left []*device
		for _, o := range others {
			if !connected[o.odid()] {
				left = append(left, o)
			}
		}
		if len(left) != 4 {
			t.Fatalf("%d are not connected", len(left))
		}
		if err := hub.Narrow(left[0].odid(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		if err := left[1].Narrow(hub.odid(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if v := left[0].view(hub); v.Received != contact.NoPermissions {
			t.Errorf("10 s after it was narrowed it still has %v", v.Received)
		}
		if v := hub.view(left[1]); v.Received != contact.NoPermissions {
			t.Errorf("10 s after it was narrowed it still has %v", v.Received)
		}
		time.Sleep(2 * time.Minute)
		if n := len(hub.link.Connected()); n != 4 {
			t.Errorf("%d connected two minutes later", n)
		}
	})
}

// Who is used takes the place of who is not.
func TestUsedConnectionsAreKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		hub, others := popular(w, 2, 4)
		settle()
		late := others[3]
		if err := late.link.Dial(t.Context(), hub.odid()); err != nil {
			t.Fatal(err)
		}
		hub.Used(late.odid())
		late.Used(hub.odid())
		time.Sleep(5 * time.Minute)
		var there bool
		for _, peer := range hub.link.Connected() {
			there = there || peer == late.odid()
		}
		if n := len(hub.link.Connected()); !there || n != 2 {
			t.Errorf("%d connected, the one in use among them: %v", n, there)
		}
	})
}
