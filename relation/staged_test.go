package relation_test

import (
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/relation"
)

// A device that paired twice can hold the first pairing back: it is staged with
// the other one for a month. Removing it is the later word.
func TestPairingHeldBackBringsNoRemovedContactBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne})
		a.commit(b, pairTwo, 0)
		b.commit(a, pairTwo, 0)
		settle()
		a.remove(b, false)
		settle()
		time.Sleep(time.Hour)
		b.commit(a, pairOne, 0)
		settle()
		a.is(b, contact.StatusRemoved, contact.Untrusted)
	})
}

// A device with a pairing staged serves its peer, though nothing else is known of
// it. Restored to such a copy, it has to take back what it said afterwards.
func TestDeviceRestoredToAStagedPairingIsNotTrusted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne})
		copied := a.copy()
		a.commit(b, pairTwo, 0)
		b.commit(a, pairTwo, 0)
		settle()
		b.is(a, contact.StatusAccepted, contact.Paired)
		a.restore(copied)
		a.staged.put(relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne})
		settle()
		b.is(a, contact.StatusPending, contact.Untrusted)
		a.is(b, contact.StatusNone, contact.Untrusted)
	})
}

// The copy holds a pairing that the device ended and then took back. Finishing it
// again would bring a removed contact back without a word of the user.
func TestPairingStagedInACopyBringsNoRemovedContactBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		p := relation.Pairing{Peer: b.odid(), Name: "name", ID: pairOne}
		a.staged.put(p)
		copied := a.copy()
		b.commit(a, pairOne, 0)
		settle()
		a.is(b, contact.StatusAccepted, contact.Paired)
		a.remove(b, false)
		settle()
		a.halt()
		staged := time.Now().Add(-time.Hour)
		a.restoreStaged(copied, p, staged)
		settle()
		a.is(b, contact.StatusNone, contact.Untrusted)
		b.is(a, contact.StatusPending, contact.Untrusted)
	})
}
