package main

import (
	"slices"
	"time"
)

// category is what bytes are spent on.
type category uint8

const (
	alive    category = iota // keep-alives
	keys                     // handing over presence keys
	interest                 // naming topics
	digests                  // saying who has which news, and asking for them
	beacons                  // news themselves
	categories
)

var categoryNames = [categories]string{"keep-alive", "keys", "interest", "digests", "beacons"}

// tally counts while a world is measured. What is about topics is counted of those
// that are followed and stands for all.
type tally struct {
	on    bool
	began time.Duration
	until time.Duration

	frames, bytes [categories]float64
	mints, takes  float64
	repeats       float64 // beacons that were known
	hops          [maxHops + 1]float64

	at         time.Duration // until then devices and links were counted
	there      int           // devices now
	standing   int           // links now
	deviceTime time.Duration
	linkTime   time.Duration
	meetings   float64 // links made, at each end
	most       int     // links of one device
	dials      float64
	fails      float64

	delays    []time.Duration
	lasts     []time.Duration
	reached   int // of those that are near enough
	near      int
	everybody int
	cost      float64
	once      float64

	right, looked int // states as they were believed, and looked at
}

// begin counts from now on.
func (t *tally) begin(w *world) {
	t.pass(w)
	*t = tally{on: true, began: w.now, until: w.now + w.Measured, at: w.now, there: t.there, standing: t.standing}
	for _, d := range w.devices {
		t.most = max(t.most, len(d.links))
	}
	for i := range 10 {
		w.after(w.Measured*time.Duration(i+1)/11, func() { t.look(w) })
	}
}

func (t *tally) end(w *world) {
	t.pass(w)
	t.on = false
	frames := 2 * t.linkTime.Seconds() / keepAlive.Seconds()
	t.frames[alive] += frames
	t.bytes[alive] += frames * float64(w.sizes.keepAlive)
	daily := 2 * t.linkTime.Seconds() / linkLife.Seconds()
	names := w.sizes.naming(w.Contacts + 1)
	t.frames[interest] += daily * float64(names.frames+1)
	t.bytes[interest] += daily * float64(names.bytes+w.sizes.nonce)
}

// watches reports whether a change can be followed to its end.
func (t *tally) watches(w *world) bool { return t.on && w.now+settling <= t.until }

// pass counts the time since the last change of what stands.
func (t *tally) pass(w *world) {
	d := w.now - t.at
	t.deviceTime += time.Duration(t.there) * d
	t.linkTime += time.Duration(t.standing) * d
	t.at = w.now
}

func (t *tally) came(w *world) { t.pass(w); t.there++ }

func (t *tally) went(w *world) { t.pass(w); t.there-- }

func (t *tally) connected(w *world, l *link) {
	t.pass(w)
	t.standing++
	if t.on {
		t.meetings += 2
		for _, d := range l.ends {
			t.most = max(t.most, len(d.links))
		}
	}
}

func (t *tally) disconnected(w *world) { t.pass(w); t.standing-- }

func (t *tally) dialled() { t.dials += t.one() }
func (t *tally) failed()  { t.fails += t.one() }

func (t *tally) one() float64 {
	if t.on {
		return 1
	}
	return 0
}

// share is how many topics a followed one stands for.
func (w *world) share() float64 { return float64(len(w.devices)) / float64(max(len(w.topics), 1)) }

// count counts frames of one category.
func (t *tally) count(w *world, c category, frames, bytes int) {
	if !t.on {
		return
	}
	share := 1.0
	if c == digests || c == beacons {
		share = w.share()
	}
	t.frames[c] += float64(frames) * share
	t.bytes[c] += float64(bytes) * share
}

// about counts one frame about a topic.
func (t *tally) about(w *world, of *topic, c category, bytes int) {
	of.bytes += bytes
	t.count(w, c, 1, bytes)
}

func (t *tally) minted(w *world) { t.mints += t.one() * w.share() }
func (t *tally) heard(w *world)  { t.takes += t.one() * w.share() }

func (t *tally) taken(w *world, hops int) {
	t.takes += t.one() * w.share()
	t.hops[hops] += t.one() * w.share()
}

func (t *tally) repeated(w *world) { t.repeats += t.one() * w.share() }

func (t *tally) costs(bytes, once int) {
	t.cost += float64(bytes)
	t.once += float64(once)
}

// known takes how long it took until a contact knew of a change, negative if it
// never did.
func (t *tally) known(delay time.Duration, near bool) {
	t.everybody++
	if near {
		t.near++
		if delay >= 0 {
			t.reached++
		}
	}
	if delay >= 0 {
		t.delays = append(t.delays, delay)
	}
}

func (t *tally) last(delay time.Duration) { t.lasts = append(t.lasts, delay) }

// look compares what is believed of the followed with what is.
func (t *tally) look(w *world) {
	for _, x := range w.topics {
		for _, h := range x.holders {
			if !h.d.online || w.now-h.d.since < time.Minute {
				continue
			}
			t.looked++
			if (h.state == present) == x.origin.online {
				t.right++
			}
		}
	}
}

// percentile returns the value below which a part of the values is, 0 of none.
func percentile(values []time.Duration, part float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(part*float64(len(values))), len(values)-1)]
}
