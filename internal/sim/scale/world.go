package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"contactsd/transport"
)

// Scenario is what a world is made of.
type Scenario struct {
	Name     string        `json:"name"`
	Devices  int           `json:"devices"`
	Contacts int           `json:"contacts"` // of a device, on average
	Overlap  float64       `json:"overlap"`  // share of a contact's contacts that are mutual
	Online   float64       `json:"online"`   // share of the time
	Session  time.Duration `json:"session"`  // mean time online at a stretch, 0 for no churn
	Crashes  float64       `json:"crashes"`  // share of the sessions that end without a word
	Settled  bool          `json:"settled"`  // connections are drawn at first and stay
	Changes  float64       `json:"changes"`  // of its state by a user, an hour online
	Budget   int           `json:"budget"`   // connections kept
	InOrder  bool          `json:"in_order"` // contacts are dialled from the lowest ODID on, not from any place
	Tracked  int           `json:"tracked"`  // origins whose beacons are followed
	Warm     time.Duration `json:"warm"`     // before anything is measured
	Measured time.Duration `json:"measured"`
	Seed     uint64        `json:"seed"`

	Bars []string `json:"bars,omitempty"` // that this scenario is judged by
}

// Times of presence and relation, and of the network that is modelled.
const (
	keepAlive   = 60 * time.Second
	validity    = 15 * time.Minute
	renewFrom   = 12 * time.Minute
	renewAfter  = 10 * time.Minute
	lookout     = 90 * time.Second
	patience    = 10 * time.Second
	seekers     = 2
	maxHops     = 3
	beaconRate  = 1
	beaconBurst = 5
	linkLife    = 24 * time.Hour * 95 / 100

	nearest  = 10 * time.Millisecond // one way between two devices
	farthest = 100 * time.Millisecond
	notice   = 30 * time.Second // until a connection with who crashed is given up
	start    = 10 * time.Minute // in which all who are there at first start
	settling = 2 * validity     // until a change must have reached all: two intervals of beacons
)

// statusText and someAddresses are what beacons of the model carry.
const statusText = "In a meeting"

func someAddresses() []transport.Address {
	return []transport.Address{"/ip4/192.168.178.21/udp/41234/quic-v1", "/ip6/2001:db8:12:3456:1234:5678:9abc:def0/udp/41234/quic-v1"}
}

// world is all devices at one time.
type world struct {
	clock
	Scenario
	rng     *rand.Rand
	sizes   sizes
	devices []*device
	topics  []*topic
	tally   tally
}

// device is one device. What is known of an origin is in holds.
type device struct {
	id       int32
	contacts []int32
	online   bool
	session  int // counts starts
	since    time.Duration
	links    []*link
	holds    []*holder
	chased   []*holder // of which news were offered that have not come
	minute   time.Duration
	first    int // in the contacts, where walks begin
	keeper
}

// link is a connection of two devices, both of which gossip over it.
type link struct {
	ends  [2]*device
	since time.Duration
	delay time.Duration // one way
	named bool          // both have named their topics
	over  bool
	out   [2]outbox // of each end
}

// outbox is what one end has yet to tell.
type outbox struct {
	todo    []todo
	flushes bool
}

func (l *link) peer(d *device) *device { return l.ends[1-l.side(d)] }

func (l *link) side(d *device) int {
	if l.ends[0] == d {
		return 0
	}
	return 1
}

// newWorld makes a world in which nobody is online. The error says what is wrong
// with the scenario.
func newWorld(s Scenario) (*world, error) {
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	lists, err := acquaintances(rng, s.Devices, s.Contacts, s.Overlap)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return populate(s, rng, lists, measureSizes(statusText, someAddresses())), nil
}

func populate(s Scenario, rng *rand.Rand, lists [][]int32, sizes sizes) *world {
	w := &world{Scenario: s, rng: rng, sizes: sizes}
	for i, l := range lists {
		w.devices = append(w.devices, &device{
			id: int32(i), contacts: l, keeper: newKeeper(),
			minute: time.Duration(rng.Int64N(int64(time.Minute))),
		})
	}
	if places := rand.New(rand.NewPCG(s.Seed, 1)); !s.InOrder {
		for _, d := range w.devices {
			d.first = places.IntN(max(len(d.contacts), 1))
		}
	}
	for _, i := range rng.Perm(len(lists))[:min(s.Tracked, len(lists))] {
		w.track(w.devices[i])
	}
	return w
}

// play plays the scenario.
func (w *world) play() {
	for _, d := range w.devices {
		if w.rng.Float64() < w.Online {
			w.after(time.Duration(w.rng.Int64N(int64(start))), func() { w.begin(d) })
		} else {
			w.after(start+w.absence(), func() { w.begin(d) })
		}
	}
	if w.Settled {
		w.run(start)
		w.settle()
	}
	w.run(w.Warm)
	w.tally.begin(w)
	w.run(w.Warm + w.Measured)
	w.tally.end(w)
}

// absence draws how long a device stays away.
func (w *world) absence() time.Duration {
	if w.Session == 0 {
		return 1 << 50
	}
	return time.Duration(w.rng.ExpFloat64() * float64(w.Session) * (1 - w.Online) / w.Online)
}

// begin starts a device.
func (w *world) begin(d *device) {
	d.online, d.since = true, w.now
	d.session++
	for _, h := range d.holds {
		h.restart()
	}
	w.tally.came(w)
	session := d.session
	w.after(d.minute, func() { w.tick(d, session) })
	w.after(patience, func() { w.chase(d, session) })
	if d.topic() != nil {
		w.nextChange(d, session)
	}
	if w.Session > 0 {
		stays := time.Duration(w.rng.ExpFloat64() * float64(w.Session))
		w.after(stays, func() { w.finish(d) })
	}
	w.walk(d, session)
}

// finish stops a device, which comes back some time later.
func (w *world) finish(d *device) {
	crashes := w.rng.Float64() < w.Crashes
	links := d.links
	if !crashes {
		w.farewell(d)
	}
	d.online, d.links, d.chased = false, nil, nil
	d.keeper = newKeeper()
	for _, h := range d.holds {
		h.shares = nil
	}
	w.tally.went(w)
	for _, l := range links {
		after := l.delay
		if crashes {
			after = notice
		}
		l.out[l.side(d)] = outbox{}
		w.after(after, func() { w.drop(l, d, ended) })
	}
	w.after(w.absence(), func() { w.begin(d) })
}

// tick is what a device does once a minute.
func (w *world) tick(d *device, session int) {
	if !d.online || d.session != session {
		return
	}
	for _, h := range d.holds {
		w.expire(h)
	}
	if t := d.topic(); t != nil && w.renewal(t) {
		w.mint(t)
	}
	w.after(time.Minute, func() { w.tick(d, session) })
}

// nextChange has the user of d change the state some time.
func (w *world) nextChange(d *device, session int) {
	if w.Changes == 0 {
		return
	}
	w.after(time.Duration(w.rng.ExpFloat64()*float64(time.Hour)/w.Changes), func() {
		if !d.online || d.session != session {
			return
		}
		w.change(d.topic())
		w.nextChange(d, session)
	})
}

// connect makes a link, over which both tell what they know a little later.
func (w *world) connect(a, b *device) *link {
	l := &link{ends: [2]*device{a, b}, since: w.now}
	l.delay = nearest + time.Duration(w.rng.Int64N(int64(farthest-nearest)))
	a.links, b.links = append(a.links, l), append(b.links, l)
	w.tally.connected(w, l)
	for _, d := range l.ends {
		w.open(l, d)
	}
	w.after(3*l.delay, func() { w.meet(l) })
	return l
}

// linkTo returns the link of d with a peer, nil if there is none.
func (d *device) linkTo(peer *device) *link {
	for _, l := range d.links {
		if l.peer(d) == peer {
			return l
		}
	}
	return nil
}

// leaving is why a link ends.
type leaving uint8

const (
	ended  leaving = iota // by a peer that stopped, or crashed
	parted                // one of the two had no room
)

// drop ends a link of which gone is the end that went, or left.
func (w *world) drop(l *link, gone *device, why leaving) {
	if l.over {
		return
	}
	l.over = true
	w.tally.disconnected(w)
	for _, d := range l.ends {
		d.unlink(l)
		l.out[l.side(d)] = outbox{}
		if d.online && (d != gone || why == parted) {
			w.lose(l, d, why)
		}
	}
}

func (d *device) unlink(l *link) {
	for i, x := range d.links {
		if x == l {
			d.links = append(d.links[:i], d.links[i+1:]...)
			return
		}
	}
}
