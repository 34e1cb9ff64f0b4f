package node_test

import (
	"errors"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/pairing"
	"contactsd/presence"
)

// Ana and Bob meet, are parted by a crash, write all the same, and fall out.
func TestStoryOfAnaAndBob(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")

		// Somebody gave Ana Bob's ODID. She adds it under a name of her own and
		// writes at once; Bob knows nothing of her yet, so it waits.
		ana.adds(bob, "Bobby")
		ana.sees(bob, contact.StatusPending, contact.Untrusted)
		ana.writes(bob, "is this you?")
		bob.knowsNobody()

		// They meet. Ana shows a code, Bob types it: both trust, Ana's name for
		// Bob stays, and what she wrote arrives.
		bob.types(ana, ana.showsCode())
		ana.sees(bob, contact.StatusAccepted, contact.Paired)
		bob.sees(ana, contact.StatusAccepted, contact.Paired)
		ana.calls(bob, "Bobby")
		bob.calls(ana, "Ana")
		bob.hasRead(ana, "is this you?")

		// Bob sees that Ana is busy, and what she says of it.
		ana.sets(presence.Busy, "in a meeting")
		bob.seesPresence(ana, presence.Busy, "in a meeting")

		// Bob's device crashes. Ana writes five times; she is told why it waits.
		bob.crashes()
		for _, text := range []string{"one", "two", "three", "four", "five"} {
			ana.writes(bob, text)
		}
		ana.waitsFor(bob, 5)

		// It comes back: everything arrives, once, in order.
		bob.starts()
		settle(time.Minute)
		bob.hasRead(ana, "is this you?", "one", "two", "three", "four", "five")
		ana.waitsFor(bob, 0)

		// Ana also crashes, after Bob answered; the answer finds her.
		ana.crashes()
		bob.writes(ana, "I was away")
		ana.starts()
		settle(time.Minute)
		ana.hasRead(bob, "I was away")

		// Ana takes back that Bob may write. His next message waits on his side.
		ana.narrows(bob, contact.Messages)
		bob.writes(ana, "hello?")
		settle(time.Hour)
		ana.hasRead(bob, "I was away")
		bob.waitsFor(ana, 1)

		// She removes him. He still lists her, and stays removed, whatever his
		// device does, over restarts of both.
		ana.removes(bob)
		settle(time.Hour)
		ana.sees(bob, contact.StatusRemoved, contact.Untrusted)
		bob.sees(ana, contact.StatusPending, contact.Untrusted)
		bob.seesNothingOf(ana)
		bob.crashes()
		ana.crashes()
		bob.starts()
		ana.starts()
		settle(24 * time.Hour)
		ana.sees(bob, contact.StatusRemoved, contact.Untrusted)
		ana.knowsNobody()

		// They make up, with a new code.
		ana.types(bob, bob.showsCode())
		settle(time.Hour)
		ana.sees(bob, contact.StatusAccepted, contact.Paired)
		bob.sees(ana, contact.StatusAccepted, contact.Paired)
		ana.hasRead(bob, "I was away", "hello?")
	})
}

// Ana has enough of Bob, and later not any more.
func TestStoryOfABlock(t *testing.T) {
	tell(t, func(t *testing.T, w *world) {
		ana, bob := w.device("Ana"), w.device("Bob")
		bob.types(ana, ana.showsCode())
		ana.sees(bob, contact.StatusAccepted, contact.Paired)
		ana.sets(presence.Busy, "in a meeting")
		bob.seesPresence(ana, presence.Busy, "in a meeting")

		// She wrote to him while he was away, and thinks better of it. What she
		// wrote waits; it is not lost.
		bob.crashes()
		ana.writes(bob, "call me")
		ana.blocks(bob)
		ana.waitsFor(bob, 1)
		ana.waitsBecause(bob, "blocked by you")
		bob.starts()
		settle(time.Hour)

		// To Bob she might have removed him: nothing of hers reaches him, and
		// what he writes waits on his side.
		bob.sees(ana, contact.StatusPending, contact.Untrusted)
		bob.seesNothingOf(ana)
		bob.writes(ana, "what have I done?")
		settle(time.Hour)
		bob.waitsFor(ana, 1)
		bob.hasRead(ana)
		ana.sees(bob, contact.StatusBlocked, contact.Untrusted)
		ana.sets(presence.Online, "free again")
		settle(time.Hour)
		bob.seesNothingOf(ana)

		// A code of hers is of no use to him, and she can't pair by accident.
		code, close := ana.looksAtACode()
		if _, err := bob.Pairing.Enter(t.Context(), code, pairing.EnterOptions{At: ana.id.Self()}); !errors.Is(err, pairing.ErrNoWindow) {
			t.Errorf("Bob enters the code: %v", err)
		}
		close()
		code, close = bob.looksAtACode()
		if _, err := ana.Pairing.Enter(t.Context(), code, pairing.EnterOptions{At: bob.id.Self()}); !errors.Is(err, pairing.ErrBlocked) {
			t.Errorf("Ana enters Bob's code: %v", err)
		}
		close()

		// It holds over restarts and time.
		ana.crashes()
		bob.crashes()
		ana.starts()
		bob.starts()
		settle(24 * time.Hour)
		ana.sees(bob, contact.StatusBlocked, contact.Untrusted)
		ana.hasRead(bob)
		bob.hasRead(ana)

		// She unblocks him: a contact, but untrusted and allowed nothing.
		ana.unblocks(bob)
		settle(time.Hour)
		ana.sees(bob, contact.StatusAccepted, contact.Untrusted)
		bob.sees(ana, contact.StatusAccepted, contact.Untrusted)
		bob.seesNothingOf(ana)
		ana.hasRead(bob)

		// With a new code all is as it was, and what waited arrives.
		bob.types(ana, ana.showsCode())
		settle(time.Hour)
		ana.sees(bob, contact.StatusAccepted, contact.Paired)
		ana.hasRead(bob, "what have I done?")
		bob.hasRead(ana, "call me")
		bob.seesPresence(ana, presence.Online, "free again")
	})
}
