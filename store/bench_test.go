package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// The figures are ratios to what bbolt does bare in the same run: times alone
// say more about the machine than about the store.

const (
	benchWriters = 64
	benchPuts    = 4000
)

type benchRecord struct {
	Name string `cbor:"1,keyasint"`
	At   int64  `cbor:"2,keyasint"`
	Body []byte `cbor:"3,keyasint"`
}

var benchTable = NewTable[benchRecord]("bench", 1)

func benchRow(n uint64) benchRecord {
	return benchRecord{Name: "a name of usual length", At: int64(n), Body: make([]byte, 64)}
}

func benchStore(b *testing.B) *DB {
	db, err := Open(filepath.Join(b.TempDir(), "store"), Options{}, benchTable)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func benchBolt(b *testing.B) *bbolt.DB {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bolt"), fileMode, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("bench"))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

func benchValue(b *testing.B, db *DB) []byte {
	var data []byte
	err := db.Update(func(tx *Tx) (err error) {
		if err = benchTable.Put(tx, Uint64(0), benchRow(0)); err != nil {
			return err
		}
		data, err = benchTable.raw(tx, Uint64(0))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// BenchmarkSingleCommit alternates one put of ours with one of bare bbolt, so
// that both meet the same disk.
func BenchmarkSingleCommit(b *testing.B) {
	ours, bare := benchStore(b), benchBolt(b)
	value := benchValue(b, ours)
	var oursTimes, bareTimes []time.Duration
	n := uint64(0)
	for b.Loop() {
		n++
		start := time.Now()
		err := ours.Update(func(tx *Tx) error { return benchTable.Put(tx, Uint64(n), benchRow(n)) })
		oursTimes = append(oursTimes, time.Since(start))
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		err = bare.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("bench")).Put(Uint64(n), value) })
		bareTimes = append(bareTimes, time.Since(start))
		if err != nil {
			b.Fatal(err)
		}
	}
	ours50, bare50 := median(oursTimes), median(bareTimes)
	b.ReportMetric(float64(ours50)/float64(bare50), "×bare")
	b.ReportMetric(float64(ours50.Microseconds()), "µs/commit")
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// BenchmarkWriters lets 64 goroutines put 4,000 rows, each put its own Update.
func BenchmarkWriters(b *testing.B) {
	ours, batch, bare := benchStore(b), benchBolt(b), benchBolt(b)
	value := benchValue(b, ours)
	var oursTime, batchTime, bareTime time.Duration
	base, commits := uint64(0), benchCommits(b, ours)
	for b.Loop() {
		oursTime += benchFanOut(b, base, func(n uint64) error {
			return ours.Update(func(tx *Tx) error { return benchTable.Put(tx, Uint64(n), benchRow(n)) })
		})
		batchTime += benchFanOut(b, base, func(n uint64) error {
			return batch.Batch(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("bench")).Put(Uint64(n), value) })
		})
		start := time.Now()
		err := bare.Update(func(tx *bbolt.Tx) error {
			for n := range uint64(benchPuts) {
				if err := tx.Bucket([]byte("bench")).Put(Uint64(base+n), value); err != nil {
					return err
				}
			}
			return nil
		})
		bareTime += time.Since(start)
		if err != nil {
			b.Fatal(err)
		}
		base += benchPuts
	}
	b.ReportMetric(float64(base)/oursTime.Seconds(), "puts/s")
	b.ReportMetric(float64(base)/float64(benchCommits(b, ours)-commits), "puts/commit")
	b.ReportMetric(float64(batchTime)/float64(oursTime), "×Batch")
	b.ReportMetric(float64(oursTime)/float64(bareTime), "×one-transaction-time")
}

func benchCommits(b *testing.B, db *DB) (n int) {
	if err := db.view(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		b.Fatal(err)
	}
	return n
}

func benchFanOut(b *testing.B, base uint64, put func(n uint64) error) time.Duration {
	var next atomic.Uint64
	var wg sync.WaitGroup
	start := time.Now()
	for range benchWriters {
		wg.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= benchPuts {
					return
				}
				if err := put(base + n); err != nil {
					b.Error(fmt.Errorf("put: %w", err))
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}
