package message

import (
	"testing"
	"testing/synctest"
	"time"

	"contactsd/store"
)

// Each line spoils a store in which one message was delivered, two have numbers
// and two wait for theirs.
func TestCheckSeesWhatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		table string
		spoil func(*store.Tx, *account) error
	}{
		"a message that is never numbered": {"message.outbox", func(_ *store.Tx, a *account) error {
			a.Assigned = 4
			return nil
		}},
		"a message that is numbered again": {"message.outbox", func(_ *store.Tx, a *account) error {
			a.Assigned = 2
			return nil
		}},
		"another's number": {"message.outbox", func(tx *store.Tx, a *account) error {
			return outboxTable.Put(tx, placeKey(a.id, 2), pending{Queued: 1, Seq: 3})
		}},
		"a run that grows elsewhere": {"message.peer", func(_ *store.Tx, a *account) error {
			a.RunSeq++
			return nil
		}},
		"a run of others": {"message.peer", func(_ *store.Tx, a *account) error {
			a.RunOrder++
			return nil
		}},
		"a number given twice": {"message.peer", func(_ *store.Tx, a *account) error {
			a.Last--
			return nil
		}},
		"a message left out of the outbox": {"message.history", func(tx *store.Tx, a *account) error {
			if err := booksOf(tx).queue(tx, a, -1); err != nil {
				return err
			}
			return outboxTable.Delete(tx, placeKey(a.id, 5))
		}},
		"delivered before others": {"message.delivered", func(tx *store.Tx, a *account) error {
			if err := booksOf(tx).queue(tx, a, -1); err != nil {
				return err
			}
			if err := outboxTable.Delete(tx, placeKey(a.id, 3)); err != nil {
				return err
			}
			return deliveredTable.Put(tx, placeKey(a.id, 3), 1)
		}},
		"delivered and nowhere": {"message.delivered", func(tx *store.Tx, a *account) error {
			return deliveredTable.Put(tx, placeKey(a.id, 6), 1)
		}},
		"a count": {"message.peer", func(_ *store.Tx, a *account) error {
			a.Queued++
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.alice.start()
				w.bob.start()
				w.alice.write(w.bob, "1")
				pass(time.Second)
				w.bob.crash()
				w.alice.writeAll(w.bob, "numbered", 2)
				pass(idleStream + 2*peerTimeout)
				w.alice.writeAll(w.bob, "waiting", 2)
				w.alice.stop()
				w.alice.open()
				defer w.alice.db.Close()
				if d := w.alice.damages(); len(d) > 0 {
					t.Fatalf("before: %v", d)
				}
				if err := w.alice.db.Update(func(tx *store.Tx) error {
					a, err := getAccount(tx, w.bob.self)
					if err != nil {
						return err
					}
					return c.spoil(tx, a)
				}); err != nil {
					t.Fatal(err)
				}
				d := w.alice.damages()
				if len(d) == 0 || d[0].Table != c.table {
					t.Fatalf("found %v, want it in %s", d, c.table)
				}
			})
		})
	}
}

func (d *device) damages() (list store.Damages) {
	d.t.Helper()
	if err := d.db.View(func(tx *store.Tx) error { return Check(tx, &list) }); err != nil {
		d.t.Fatal(err)
	}
	return list
}
