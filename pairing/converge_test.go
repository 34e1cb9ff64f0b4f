package pairing

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/transport/memnet"
)

// Whichever message is lost, and whoever crashes then, both devices end with the
// same once they have met: the pairing, or none. And then they can pair.
func TestEveryLostMessageAndCrashConverges(t *testing.T) {
	for _, lost := range []frameType{typeHello, typeOffer, typeProve, typeConfirm, typeNoise2, typeNoise3, typeAck} {
		for _, crash := range []string{"nobody", "S", "E", "both"} {
			t.Run(fmt.Sprintf("message %d, %s crashes", lost, crash), func(t *testing.T) {
				bubble(t, func(t *testing.T, n *memnet.Network, s, e *device) {
					w := s.watchCodes(ShowOptions{})
					code := w.code(t).Digits
					ofE := lost
					if lost == typeOffer || lost == typeConfirm || lost == typeNoise3 {
						s.lose, ofE = lost, 0
					}
					r, err := e.lossySession(s, code, ofE)
					if (err == nil) != (lost == typeAck) {
						t.Errorf("E: %v", err)
					}
					synctest.Wait()
					s.lose = 0
					w.leave()
					if crash == "S" || crash == "both" {
						s = s.restart(n, 1)
					}
					if crash == "E" || crash == "both" {
						e = e.restart(n, 2)
					}
					<-time.After(time.Second) // both learn of a crash
					if err := e.state(t.Context(), s.id.Self()); err != nil {
						t.Fatalf("they differ: %v", err)
					}
					synctest.Wait()
					got := s.names(e.id.Self())
					if got != e.names(s.id.Self()) || (got != contact.PairID{}) != (lost == typeAck) || got != r.PairID {
						t.Errorf("S names %x, E names %x", got, e.names(s.id.Self()))
					}
					// What was lost before the proof cost nothing, what was lost after it may.
					if n := s.dayRounds(); n > 1 || n == 1 && lost <= typeProve {
						t.Errorf("%d guesses taken", n)
					}
					if _, err := e.Enter(t.Context(), s.watchCodes(ShowOptions{}).code(t).Code, EnterOptions{}); err != nil {
						t.Fatal(err)
					}
					mustPair(t, s, e)
				})
			})
		}
	}
}
