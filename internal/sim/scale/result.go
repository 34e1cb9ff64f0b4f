package main

import (
	"fmt"
	"runtime"
	"time"
)

// Result is what a scenario came to. Bytes and frames are what a device sends; it
// hears as much.
type Result struct {
	Scenario
	Overlapped float64 `json:"overlapped"` // share of contacts' contacts that are mutual, as drawn

	Median  float64 `json:"median_s"` // until a contact that is there knows a change
	P99     float64 `json:"p99_s"`
	Last    float64 `json:"last_s"`     // until the last one does, median of the changes
	LastP99 float64 `json:"last_p99_s"` // and of one change in a hundred
	Changes int     `json:"changes_followed"`
	Reached float64 `json:"reached"` // share within two intervals, of those that connections lead to
	Near    float64 `json:"near"`    // share that connections lead to
	Right   float64 `json:"right"`   // share of states that are known as they are, at any time

	Bytes     float64            `json:"bytes_per_hour"`
	Frames    float64            `json:"frames_per_hour"`
	BytesBy   map[string]float64 `json:"bytes_by"`
	FramesBy  map[string]float64 `json:"frames_by"`
	PerLink   float64            `json:"bytes_per_minute_per_link"` // sent to one connected contact
	PerChange float64            `json:"times_telling_each_once"`   // bytes of a change, 0 if none
	Repeats   float64            `json:"repeats"`                   // beacons that came twice, of those taken from others

	Links    float64 `json:"links"`      // of a device, mean
	Most     int     `json:"links_most"` // most at one time
	Meetings float64 `json:"meetings_per_hour"`
	Dials    float64 `json:"dials_per_hour"`
	InVain   float64 `json:"dials_in_vain_per_hour"`
	CPU      float64 `json:"cpu_s_per_hour"`

	Took   float64  `json:"took_s"` // real time
	Memory float64  `json:"memory_mb"`
	Missed []string `json:"missed,omitempty"`
}

// run plays a scenario and says what came of it.
func run(s Scenario, c costs) (Result, error) {
	began := time.Now()
	w, err := newWorld(s)
	if err != nil {
		return Result{}, err
	}
	w.play()
	r := w.result(c)
	lists := make([][]int32, len(w.devices))
	for i, d := range w.devices {
		lists[i] = d.contacts
	}
	r.Overlapped = overlapOf(w.rng, lists)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.Took, r.Memory = time.Since(began).Seconds(), float64(m.HeapInuse)/(1<<20)
	r.Missed = r.missed()
	return r, nil
}

func (w *world) result(c costs) Result {
	t := &w.tally
	hours := t.deviceTime.Hours()
	r := Result{
		Scenario: w.Scenario, BytesBy: make(map[string]float64), FramesBy: make(map[string]float64),
		Median: percentile(t.delays, 0.5).Seconds(), P99: percentile(t.delays, 0.99).Seconds(),
		Last: percentile(t.lasts, 0.5).Seconds(), LastP99: percentile(t.lasts, 0.99).Seconds(),
		Changes: len(t.lasts),
		Reached: part(float64(t.reached), float64(t.near)), Near: part(float64(t.near), float64(t.everybody)),
		Right: part(float64(t.right), float64(t.looked)),
		Links: 2 * part(t.linkTime.Hours(), hours), Most: t.most,
		Meetings: t.meetings / hours, Dials: t.dials / hours, InVain: t.fails / hours,
		PerChange: part(t.cost, t.once),
	}
	taken := 0.0
	for _, n := range t.hops {
		taken += n
	}
	r.Repeats = part(t.repeats, taken)
	small := 0.0
	for i, name := range categoryNames {
		r.BytesBy[name], r.FramesBy[name] = t.bytes[i]/hours, t.frames[i]/hours
		r.Bytes += t.bytes[i] / hours
		r.Frames += t.frames[i] / hours
		if category(i) != beacons {
			small += t.frames[i]
		}
	}
	r.PerLink = part(r.Bytes/60, r.Links)
	cpu := t.mints*c.Mint.Seconds() + t.takes*c.Take.Seconds() + t.frames[beacons]*c.Frame.Seconds() +
		small*c.Small.Seconds() + t.meetings*float64(w.Contacts)*c.Name.Seconds()
	r.CPU = cpu / hours
	return r
}

func part(a, of float64) float64 {
	if of == 0 {
		return 0
	}
	return a / of
}

// Bars that a scenario can be judged by.
const (
	barReach = "reach" // 99.9 % within two intervals of beacons, of those that connections lead to
	barIdle  = "idle"  // at most 2 kB a minute to a connected contact
	barCost  = "cost"  // a change takes at most 1.5 times the bytes of telling each once

	leastReach  = 0.999
	mostPerLink = 2000
	mostCost    = 1.5
)

func (r Result) missed() (list []string) {
	for _, bar := range r.Bars {
		switch {
		case bar == barReach && r.Reached < leastReach:
			list = append(list, fmt.Sprintf("%s: a change reached %.3f %% within %v, at least %.1f %%", r.Name, 100*r.Reached, settling, 100*leastReach))
		case bar == barIdle && r.PerLink > mostPerLink:
			list = append(list, fmt.Sprintf("%s: %.0f bytes a minute to a connected contact, at most %d", r.Name, r.PerLink, mostPerLink))
		case bar == barCost && r.PerChange > mostCost:
			list = append(list, fmt.Sprintf("%s: a change took %.2f times the bytes of telling each once, at most %.1f", r.Name, r.PerChange, mostCost))
		}
	}
	return list
}
