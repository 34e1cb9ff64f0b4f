package relation_test

import (
	"testing"

	"contactsd/contact"
	"contactsd/relation"
)

// mutual makes contacts of two devices.
func (w *world) mutual(a, b *device) {
	a.add(b, relation.AddOptions{})
	b.add(a, relation.AddOptions{})
	settle()
}

func (d *device) asksMore(o *device, wording string, want contact.Permissions) {
	d.t.Helper()
	if _, err := d.Ask(o.odid(), relation.AskOptions{Permissions: want, Wording: wording}); err != nil {
		d.t.Fatal(err)
	}
}

// What was asked in a life that is lost is on the list again once the other has
// shown it: it can be answered there, and so must be seen and taken back here.
func TestRestoredDeviceListsWhatItAsked(t *testing.T) {
	for _, answer := range []relation.Response{0, relation.Accept, relation.Reject} {
		bubble(t, func(t *testing.T, w *world) {
			a, b := w.device('a'), w.device('b')
			w.mutual(a, b)
			old := a.copy()
			settle()
			a.asksMore(b, "Call?", contact.Audio)
			settle()
			a.restore(old)
			settle()
			if made, waits := a.open(), b.requests(); len(made) != 1 || made[0].Wording != "Call?" || len(waits) != 1 {
				t.Fatalf("asked %+v, waits %+v", made, waits)
			}
			if answer == 0 {
				if err := a.Cancel(b.odid()); err != nil {
					t.Fatal(err)
				}
			} else {
				b.answer(a, answer, 0)
			}
			settle()
			if made, waits := a.open(), b.requests(); len(made)+len(waits) != 0 {
				t.Errorf("still open: %+v, %+v", made, waits)
			}
		})
	}
}

// An ask that ended without an answer, by a removal or a block, is answered when
// the two are contacts again: else it would be open on one side for ever.
func TestAskIsRejectedOnceTheTwoAreContactsAgain(t *testing.T) {
	again := map[string]func(a, b *device){
		"added": func(a, b *device) {
			b.remove(a, false)
			settle()
			b.add(a, relation.AddOptions{})
		},
		"paired": func(a, b *device) {
			b.remove(a, false)
			settle()
			a.commit(b, pairOne, 0)
			b.commit(a, pairOne, 0)
		},
		"unblocked": func(a, b *device) {
			if err := b.Block(a.odid()); err != nil {
				b.t.Fatal(err)
			}
			settle()
			if err := b.Unblock(a.odid()); err != nil {
				b.t.Fatal(err)
			}
		},
	}
	for name, comes := range again {
		bubble(t, func(t *testing.T, w *world) {
			a, b := w.device('a'), w.device('b')
			w.mutual(a, b)
			a.asksMore(b, "Call?", contact.Audio)
			settle()
			if n := len(b.requests()); n != 1 {
				t.Fatalf("%s: %d requests", name, n)
			}
			comes(a, b)
			settle()
			if made, waits := a.open(), b.requests(); len(made)+len(waits) != 0 {
				t.Errorf("%s: still open: %+v, %+v", name, made, waits)
			}
			if v := a.view(b); v.Status != contact.StatusAccepted || v.Given.Has(contact.Audio) || v.Received.Has(contact.Audio) {
				t.Errorf("%s: %+v", name, v)
			}
			a.asksMore(b, "And now?", contact.Audio)
			settle()
			if waits := b.requests(); len(waits) != 1 || waits[0].Wording != "And now?" {
				t.Errorf("%s: asked again, %+v", name, waits)
			}
		})
	}
}
