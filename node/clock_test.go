package node_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/presence"
)

// Each bubble begins at the same moment, so what one leaves on disk is from the
// future of the next: the clock was set back.
func TestClockSetBackADay(t *testing.T) {
	dir := t.TempDir()
	life := func(story func(ana, bob *person)) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			ana := w.deviceAt("Ana", filepath.Join(dir, "ana"))
			bob := w.deviceAt("Bob", filepath.Join(dir, "bob"))
			story(ana, bob)
			ana.halts()
			bob.halts()
		})
	}
	life(func(ana, bob *person) {
		time.Sleep(25 * time.Hour)
		bob.types(ana, ana.showsCode())
		ana.writes(bob, "one")
		bob.hasRead(ana, "one")
		bob.sets(presence.Busy, "")
		ana.seesPresence(bob, presence.Busy, "")
		bob.halts()
		ana.writes(bob, "two")
		settle(3 * time.Hour) // attempts fail, the next is planned
		ana.waitsFor(bob, 1)
	})
	life(func(ana, bob *person) {
		settle(30 * time.Second)
		bob.hasRead(ana, "one", "two")
		ana.writes(bob, "three")
		bob.writes(ana, "four")
		bob.hasRead(ana, "one", "two", "three")
		ana.hasRead(bob, "four")
		// What is newer by the clock's old time does not stand above what is new.
		bob.sets(presence.Away, "")
		ana.seesPresence(bob, presence.Away, "")
		ana.narrows(bob, contact.Messages)
		bob.writes(ana, "five")
		bob.waitsFor(ana, 1)
		ana.removes(bob)
		settle(time.Second)
		bob.sees(ana, contact.StatusPending, contact.Untrusted)
		bob.types(ana, ana.showsCode())
		settle(time.Minute)
		ana.hasRead(bob, "four", "five")
	})
}
