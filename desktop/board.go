package desktop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// How many notices are shown: some at once, and not more than 10 in a minute.
const (
	noticeBurst = 5
	noticeEvery = 12 * time.Second
)

// maxApart is how many notices that wait are shown one by one.
const maxApart = 4

// board knows what is to be told and what is on the screen. It reads no clock.
type board struct {
	limit *rate.Limiter
	wait  []notice          // in their order, one of each key
	shown map[uint32]notice // by the id that the server gave
}

func newBoard() *board {
	return &board{limit: rate.NewLimiter(rate.Every(noticeEvery), noticeBurst), shown: make(map[uint32]notice)}
}

// put has a notice told, in the place of one about the same that waits. What the user
// asked for goes first.
func (b *board) put(n notice) {
	if i := b.waiting(n.key); i >= 0 {
		b.wait[i] = n.merged(b.wait[i])
		return
	}
	if n.asked() {
		b.wait = slices.Insert(b.wait, 0, n)
		return
	}
	b.wait = append(b.wait, n)
}

func (b *board) waiting(key string) int {
	return slices.IndexFunc(b.wait, func(n notice) bool { return n.key == key })
}

// asked reports whether the user waits for a notice: then no limit holds it back.
func (n notice) asked() bool { return n.kind == aCode || n.kind == aResult }

// next takes the notice that is to be shown now, and the id of the one whose place
// it takes, 0 for none. Without one it says how long to wait for the next, 0 if none
// waits.
func (b *board) next(now time.Time) (n notice, replaces uint32, ok bool, later time.Duration) {
	if len(b.wait) == 0 {
		return n, 0, false, 0
	}
	if !b.wait[0].asked() {
		if r := b.limit.ReserveN(now, 1); r.DelayFrom(now) > 0 {
			later = r.DelayFrom(now)
			r.CancelAt(now)
			return n, 0, false, later
		}
		if len(b.wait) > maxApart {
			b.wait = []notice{digest(b.wait)}
		}
	}
	n, b.wait = b.wait[0], b.wait[1:]
	for id, was := range b.shown {
		if was.key == n.key {
			return n.merged(was), id, true, 0
		}
	}
	return n, 0, true, 0
}

// digest is one notice for several.
func digest(list []notice) notice {
	d := notice{key: digestNotice, kind: aDigest, summary: "Much is new"}
	for _, n := range list {
		d.counts[n.kind] += max(n.count, 1)
	}
	return d
}

// digestText tells how many there are of each kind.
func digestText(counts [aCode]int) string {
	var parts []string
	for kind, words := range [aCode][2]string{
		aRequest: {"request", "requests"}, aMessage: {"message", "messages"},
		aFile: {"file", "files"}, aPairing: {"pairing", "pairings"},
	} {
		switch n := counts[kind]; {
		case n == 1:
			parts = append(parts, "1 "+words[0])
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, words[1]))
		}
	}
	return strings.Join(parts, ", ")
}

// on notes that a notice is on the screen, and what it took the place of is not: not
// every server keeps the id.
func (b *board) on(id uint32, n notice) {
	maps.DeleteFunc(b.shown, func(_ uint32, was notice) bool { return was.key == n.key })
	b.shown[id] = n
}

// off notes that a notification is gone, and returns what it was about.
func (b *board) off(id uint32) (notice, bool) {
	n, ok := b.shown[id]
	delete(b.shown, id)
	return n, ok
}

// over takes back what is about key, and returns the ids that are on the screen.
func (b *board) over(key string) (ids []uint32) {
	if i := b.waiting(key); i >= 0 {
		b.wait = slices.Delete(b.wait, i, i+1)
	}
	for id, n := range b.shown {
		if n.key == key {
			ids = append(ids, id)
			delete(b.shown, id)
		}
	}
	return ids
}
