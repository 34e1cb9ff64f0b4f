package memnet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport"
	"contactsd/transport/memnet"
	"contactsd/transport/transporttest"
)

func TestConformance(t *testing.T) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T, test func(*testing.T, transporttest.Fixture)) {
				synctest.Test(t, func(t *testing.T) {
					n := memnet.New(memnet.Options{Latency: latency, Strict: true})
					test(t, transporttest.Fixture{
						Device: func(t *testing.T, id *identity.Identity, mayDial func(contact.ODID) bool, where func(contact.ODID) []transport.Address) transporttest.Device {
							d := n.Device(id.Self())
							d.SetMayDial(mayDial)
							d.SetWhere(where)
							return d
						},
						Nowhere: func(contact.ODID) transport.Address { return memnet.AddressOf(newID(t)) },
					})
				})
			})
		})
	}
}
