package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/profile"
	"contactsd/transport/memnet"
)

// Result is what came of a run.
type Result struct {
	Seed       uint64      `json:"seed"`
	Devices    int         `json:"devices"`
	Acts       int         `json:"acts"`
	Faults     int         `json:"faults"`
	Messages   int         `json:"messages"` // accepted by a sender's device
	Delivered  int         `json:"delivered"`
	Commits    uint64      `json:"commits"`
	Fired      bool        `json:"-"` // a crash came when it was meant to
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is something that must never be.
type Violation struct {
	Invariant string `json:"invariant"`
	What      string `json:"what"`
}

// world is one run.
type world struct {
	plan    Plan
	dir     string
	verbose bool // the timeline has what the devices log
	moved   func()

	net     *memnet.Network
	weather *weather
	line    *timeline
	hosts   []*host

	over  chan struct{}  // closed when all is to be healed
	away  sync.WaitGroup // devices that are down, and other faults that last
	talks sync.WaitGroup // pairings and questions under way

	mu        sync.Mutex // guards what follows
	index     map[contact.ODID]int
	lives     map[contact.ODID]*life
	beliefs   [][]*belief // by user and by the other
	posts     [][]*post
	deals     [][]*dealings
	beacons   [][]byte      // newest of each device
	guessed   [][]time.Time // when wrong codes were typed, by the device that showed others
	frames    int           // that may be sent until reached is closed
	reached   chan struct{} // nil if nobody waits
	pairings  int
	asks      [][][]asked // by user and by whom it asked
	answers   [][]bool    // whether a user ever answered a request of the other
	denounced [][]bool    // whether a user, or a program in its name, ever reported the other
	choices   []choice
	priced    map[priced]bool       // requests that were to be paid for
	intruders map[contact.ODID]bool // devices of nobody's
	told      []told
	result    Result
}

// Run runs a plan in the bubble of the caller, with stores in dir. It writes what
// happened to log if anything was wrong, with what the devices log if verbose. It
// calls moved, if that is not nil, whenever it has come a step further.
func Run(p Plan, dir string, log io.Writer, verbose bool, moved func()) (Result, error) {
	w, err := newWorld(p, dir, verbose)
	if err != nil {
		return Result{}, err
	}
	if w.moved = moved; moved == nil {
		w.moved = func() {}
	}
	r, err := w.run()
	if err != nil || len(r.Violations) > 0 {
		w.line.print(log)
	}
	return r, err
}

func newWorld(p Plan, dir string, verbose bool) (*world, error) {
	w := &world{
		plan: p, dir: dir, verbose: verbose,
		line:      newTimeline(),
		over:      make(chan struct{}),
		index:     make(map[contact.ODID]int),
		lives:     make(map[contact.ODID]*life),
		priced:    make(map[priced]bool),
		intruders: make(map[contact.ODID]bool),
		result:    Result{Seed: p.Seed, Devices: p.Devices},
	}
	w.weather = &weather{links: p.Links, index: w.index, rng: rand.New(rand.NewPCG(p.Seed, 2))}
	w.net = memnet.New(memnet.Options{Delay: w.weather.delay, Tap: w.tap})
	for i := range p.Devices {
		h, err := newHost(w, i)
		if err != nil {
			return nil, err
		}
		w.hosts = append(w.hosts, h)
		w.index[h.self()] = i
		w.beliefs = append(w.beliefs, make([]*belief, p.Devices))
		w.posts = append(w.posts, make([]*post, p.Devices))
		w.deals = append(w.deals, make([]*dealings, p.Devices))
		w.asks = append(w.asks, make([][]asked, p.Devices))
		w.answers = append(w.answers, make([]bool, p.Devices))
		w.denounced = append(w.denounced, make([]bool, p.Devices))
		w.told = append(w.told, told{texts{all: []string{""}}, texts{all: []string{""}}})
		w.choices = append(w.choices, choice{places: contact.DefaultPolicy().MaxWaiting})
		for j := range p.Devices {
			w.beliefs[i][j], w.posts[i][j], w.deals[i][j] = newBelief(), newPost(), &dealings{}
		}
	}
	w.beacons, w.guessed = make([][]byte, p.Devices), make([][]time.Time, p.Devices)
	return w, nil
}

func (w *world) violate(invariant, format string, args ...any) {
	v := Violation{invariant, fmt.Sprintf(format, args...)}
	w.line.note("VIOLATION of %s: %s", invariant, v.What)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.result.Violations) < 20 {
		w.result.Violations = append(w.result.Violations, v)
	}
}

func (w *world) setLife(id contact.ODID, l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives[id] = l
}

// believe changes what a user may hold of another one.
func (w *world) believe(i, j int, f func(*belief)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w.beliefs[i][j])
	w.deals[i][j].judge(w.beliefs[i][j])
}

// run runs the plan, heals everything and looks at what is left.
func (w *world) run() (Result, error) {
	for _, h := range w.hosts {
		if err := h.start(); err != nil {
			return w.result, err
		}
	}
	pass(time.Second)
	for _, h := range w.hosts {
		w.tells(h, profile.Change{Name: &h.name}, "calls itself "+h.name)
	}
	w.relays()
	for _, s := range w.plan.Steps {
		pass(time.Until(w.line.start.Add(s.At)))
		w.take(s)
		w.look()
		w.moved()
	}
	pass(time.Until(w.line.start.Add(w.plan.Length)))
	w.heal()
	w.settle()
	w.robs()
	w.besiege()
	w.end()
	return w.result, nil
}

// pass lets time pass in the bubble.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// take does one step.
func (w *world) take(s Step) {
	if !w.does(s) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Kind.Fault() {
		w.result.Faults++
	} else {
		w.result.Acts++
	}
}

// lasts has a fault end after a while, or when all is healed.
func (w *world) lasts(d time.Duration, end func()) {
	w.away.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-w.over:
		}
		end()
	})
}

// relays ends the connections of relayed links every two minutes, as a relay does.
func (w *world) relays() {
	for a := range w.hosts {
		for b := range a {
			if !w.plan.Links[a][b].Relayed {
				continue
			}
			w.away.Go(func() {
				tick := time.NewTicker(2 * time.Minute)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						w.net.Drop(w.hosts[a].self(), w.hosts[b].self())
					case <-w.over:
						return
					}
				}
			})
		}
	}
}

// heal ends every fault and waits until all devices are there.
func (w *world) heal() {
	w.line.note("--- all is healed")
	close(w.over)
	w.away.Wait()
	w.talks.Wait()
	w.weather.clear()
	for a, h := range w.hosts {
		for _, o := range w.hosts[:a] {
			w.net.Heal(h.self(), o.self())
		}
	}
	for _, h := range w.hosts {
		h.mu.Lock()
		h.ahead = 0
		h.mu.Unlock()
		if l := h.up(); l != nil && l.isDead() { // its fuse burned down just now
			h.halt(true)
		}
		if h.up() == nil {
			if err := h.start(); err != nil {
				w.violate("run", "%v", err)
			}
		}
	}
	pass(time.Minute)
}

// end stops all devices and examines what they leave.
func (w *world) end() {
	for _, h := range w.hosts {
		if l := h.up(); l != nil {
			w.mu.Lock()
			w.result.Commits += l.db.Commits()
			w.mu.Unlock()
		}
		h.halt(false)
	}
	synctest.Wait()
	for _, h := range w.hosts {
		w.examine(h)
	}
}
