package relation_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/relation"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

// A contact that lets itself be dialled and hangs up, on purpose or because it is
// broken, is not dialled without rest: that it was connected is no news then.
func TestContactThatHangsUpIsLeftInPeace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.device('a')
		id, err := identity.FromSeed([32]byte{'x'})
		if err != nil {
			t.Fatal(err)
		}
		var calls atomic.Int32
		x := w.net.Device(id.Self())
		x.Serve(relation.Protocol, func(_ context.Context, st transport.Stream) {
			if calls.Add(1) < 1000 {
				st.Reset()
				w.net.Drop(a.odid(), id.Self())
			}
		})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := x.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		if _, _, err := a.Add(id.Self(), relation.AddOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := calls.Load(); n < 5 || n > 20 {
			t.Errorf("dialled %d times in an hour, want 5 to 20", n)
		}
		stop()
		<-ended
	})
}

// Contacts that can't be reached take their time; whoever is there does not wait
// for them.
func TestUnreachableContactsHoldNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.device('a'), w.device('b')
		b.add(a, relation.AddOptions{}) // and stays connected
		for i := range 200 {
			id, err := identity.FromSeed([32]byte{'z', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			w.net.Cut(a.odid(), id.Self())
			if _, _, err := a.Add(id.Self(), relation.AddOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		a.add(b, relation.AddOptions{})
		time.Sleep(time.Second)
		synctest.Wait()
		b.is(a, contact.StatusAccepted, contact.Untrusted)
		if err := a.Narrow(b.odid(), contact.Messages); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if v := b.view(a); v.Received != contact.NoPermissions {
			t.Errorf("a second after it was narrowed b still has %v", v.Received)
		}
	})
}

// A start does not read all contacts, and yet gets in touch with all of them.
func TestAllContactsAreReachedAfterAStart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.device('a')
		var others []*device
		for i := range 5 {
			b := w.device(byte('b' + i))
			others = append(others, b)
			a.add(b, relation.AddOptions{})
		}
		settle()
		for i := range 200 {
			id, err := identity.FromSeed([32]byte{'y', byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.Add(id.Self(), relation.AddOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		a.halt()
		for _, b := range others {
			b.halt()
		}
		for _, b := range others {
			b.start()
		}
		a.start()
		time.Sleep(time.Minute)
		if n := len(a.link.Connected()); n != len(others) {
			t.Errorf("connected with %d, want %d", n, len(others))
		}
	})
}

// Where a contact was is read when it is needed, and nobody is dialled of whom
// that is not known.
func TestContactsAreDialledWhereTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t, memnet.New(memnet.Options{Strict: true})}
		a, b, c := w.device('a'), w.device('b'), w.device('c')
		a.add(b, relation.AddOptions{Addresses: []transport.Address{memnet.AddressOf(b.odid())}})
		a.add(c, relation.AddOptions{})
		settle()
		for _, d := range []*device{a, b} {
			d.halt()
		}
		b.start()
		a.start()
		time.Sleep(time.Second)
		if got := a.link.Connected(); len(got) != 1 || got[0] != b.odid() {
			t.Errorf("connected with %v, want b alone", got)
		}
		a.link.Learn(c.odid(), []transport.Address{memnet.AddressOf(c.odid())}) // as by the LAN
		time.Sleep(10 * time.Minute)
		if n := len(a.link.Connected()); n != 2 {
			t.Errorf("connected with %d after it is known where c is, want 2", n)
		}
	})
}
