package message

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"contactsd/store"
)

// BenchmarkSend queues messages for a contact that is away, on a disk that syncs.
func BenchmarkSend(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers, " writers"), func(b *testing.B) {
			w := benchWorld(b, false)
			b.ResetTimer()
			var group sync.WaitGroup
			for i := range writers {
				group.Go(func() {
					for range (b.N + i) / writers {
						send(b, w, "hello there")
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkDeliver empties a queue into a contact: both disks sync, the network
// has no delay. The limit beside it is writing the same number of bare records,
// a window in a transaction, once.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{100, 4 << 10, MaxBodySize} {
		b.Run(fmt.Sprint(size, " bytes"), func(b *testing.B) {
			w := benchWorld(b, false)
			text := strings.Repeat("x", size)
			for range b.N {
				send(b, w, text)
			}
			w.bob.start()
			b.ResetTimer()
			for w.bob.net.Dial(b.Context(), w.alice.self) != nil {
				runtime.Gosched() // until it is on the network
			}
			for {
				emitted := w.alice.db.Emitted()
				c, err := w.alice.svc.Counts()
				if err != nil {
					b.Fatal(err)
				}
				if c.Queued == 0 {
					break
				}
				<-emitted
			}
			took := b.Elapsed()
			b.StopTimer()
			rate := float64(b.N) / took.Seconds()
			b.ReportMetric(rate, "msgs/s")
			b.ReportMetric(rate*float64(size)/1e6, "MB/s")
			b.ReportMetric(float64(took)/float64(bare(b, w, b.N, text)), "×bare")
		})
	}
}

// BenchmarkOne is the time from Send to the receiver's disk, streams open.
func BenchmarkOne(b *testing.B) {
	w := benchWorld(b, true)
	one := func() {
		emitted := w.bob.db.Emitted()
		send(b, w, "hello there")
		<-emitted
	}
	one()
	b.ResetTimer()
	for range b.N {
		one()
	}
}

func benchWorld(b *testing.B, both bool) *world {
	w := newWorld(b)
	w.sync = true
	w.net = newNetwork(0)
	w.alice.start()
	if both {
		w.bob.start()
	}
	return w
}

func send(b *testing.B, w *world, text string) {
	id, err := NewID()
	if err == nil {
		_, err = w.alice.svc.Send(w.bob.self, id, KindText, []byte(text))
	}
	if err != nil {
		b.Error(err)
	}
}

func bare(b *testing.B, w *world, n int, text string) time.Duration {
	start := time.Now()
	for done := 0; done < n; {
		next := min(n, done+windowFrames)
		if err := w.bob.db.Update(func(tx *store.Tx) error {
			for i := done; i < next; i++ {
				if err := historyTable.Put(tx, placeKey(w.bob.self, uint64(i)), record{Body: []byte(text)}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		done = next
	}
	return time.Since(start)
}
