package relation_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/relation"
	"contactsd/transport"
)

func (d *device) outlook(o *device) relation.Outlook {
	d.t.Helper()
	got, err := d.Outlook(o.odid())
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

// What is told of attempts is what happens: the next one comes when it is said to.
func TestOutlookTellsWhatIsTried(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		if o := a.outlook(b); o != (relation.Outlook{}) {
			t.Errorf("of a stranger: %+v", o)
		}
		b.halt()
		a.add(b, relation.AddOptions{})
		settle()
		o := a.outlook(b)
		if o.Heard || o.Told || !o.Due || o.Failed < 5 || !errors.Is(o.Err, transport.ErrUnreachable) || time.Since(o.Last) > 15*time.Minute {
			t.Fatalf("of one that is not there: %+v", o)
		}
		if in := time.Until(o.Next); in <= 0 || in > 15*time.Minute {
			t.Errorf("the next attempt is in %v", in)
		}
		b.start()
		time.Sleep(time.Until(o.Next) - time.Second)
		synctest.Wait()
		if a.outlook(b) != o {
			t.Error("it was tried before the time that was told")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if o := a.outlook(b); o.Heard || !o.Told || o.Failed > 0 || o.Err != nil || !o.Next.IsZero() {
			t.Errorf("after it came: %+v", o)
		}
		b.add(a, relation.AddOptions{})
		settle()
		if o := a.outlook(b); !o.Heard || !o.Told || !o.Due {
			t.Errorf("after it has said something: %+v", o)
		}
		b.halt()
		settle()
		if err := a.Block(b.odid()); err != nil {
			t.Fatal(err)
		}
		settle()
		if o := a.outlook(b); o.Told || !o.Due || o.Failed == 0 {
			t.Errorf("of a blocked device that does not know yet: %+v", o)
		}
		b.start()
		settle()
		if o := a.outlook(b); !o.Told || o.Due {
			t.Errorf("of a blocked device that was told: %+v", o)
		}
		a.is(b, contact.StatusBlocked, contact.Untrusted)
	})
}
