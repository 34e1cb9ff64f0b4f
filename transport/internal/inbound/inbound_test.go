package inbound

import (
	"testing"
	"testing/synctest"

	"contactsd/contact"
)

func TestStreamsWaitForAPlaceAndMoreAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limit
		peer, stop := contact.ODID{1}, make(chan struct{})
		var leave []func()
		for range Serving {
			f, ok := l.Enter(peer, stop)
			if !ok {
				t.Fatal("turned away too early")
			}
			leave = append(leave, f)
		}
		served := make(chan func(), Serving)
		for range Serving {
			go func() {
				if f, ok := l.Enter(peer, stop); ok {
					served <- f
				}
			}()
		}
		synctest.Wait()
		if len(served) != 0 {
			t.Errorf("%d streams more than allowed are served", len(served))
		}
		if _, ok := l.Enter(peer, stop); ok {
			t.Error("there is no end of waiting streams")
		}
		if f, ok := l.Enter(contact.ODID{2}, stop); !ok {
			t.Error("one peer takes the places of another")
		} else {
			f()
		}
		for _, f := range leave[:10] {
			f()
		}
		synctest.Wait()
		if len(served) != 10 {
			t.Errorf("10 places became free, %d streams got one", len(served))
		}
		close(stop)
		synctest.Wait()
		for _, f := range leave[10:] {
			f()
		}
		for range len(served) {
			(<-served)()
		}
		if len(l.peers) != 0 {
			t.Error("peers without streams are remembered")
		}
	})
}
