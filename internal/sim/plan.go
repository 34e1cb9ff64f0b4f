package sim

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// Options of a plan.
type Options struct {
	Devices int           // at least; 0 for 4
	Length  time.Duration // of what users do, before all is healed; 0 for 6 hours
}

// Plan is what a seed decides.
type Plan struct {
	Seed    uint64
	Devices int
	Length  time.Duration
	Links   [][]Link // from, to
	Steps   []Step   // in order
}

// Step is one thing that happens.
type Step struct {
	At   time.Duration // since the start
	Kind Kind
	A, B int           // devices: who does it or has it done, and to whom
	N    int           // what it means is the kind's
	M    int           // the same
	For  time.Duration // how long a fault lasts

	Newest bool // of several copies the newest is meant
}

// NewPlan makes the plan of a seed. Each seed stresses some kinds of steps and
// leaves out others, so that rare combinations become frequent ones in some runs.
func NewPlan(seed uint64, opt Options) Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := Plan{Seed: seed, Devices: max(opt.Devices, 4) + rng.IntN(3), Length: cmp.Or(opt.Length, 6*time.Hour)}
	p.Links = newLinks(rng, p.Devices)
	acts, faults := moods(rng)

	p.befriend(rng)
	tempo := time.Duration(20+rng.IntN(160)) * time.Second
	for at := 10 * time.Minute; at < p.Length; at += pause(rng, tempo) {
		p.add(rng, at, acts.pick(rng))
	}
	trouble := time.Duration(2+rng.IntN(20)) * time.Minute
	for at := 10 * time.Minute; at < p.Length; at += pause(rng, trouble) {
		p.add(rng, at, faults.pick(rng))
	}
	for range 2 + rng.IntN(5) {
		p.stage(rng)
	}
	p.aim(rng)
	slices.SortStableFunc(p.Steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return p
}

// befriend makes most of the devices know each other in the first minutes.
func (p *Plan) befriend(rng *rand.Rand) {
	for a := range p.Devices {
		for b := range a {
			at := time.Duration(rng.Int64N(int64(9 * time.Minute)))
			switch rng.IntN(5) {
			case 0, 1, 2:
				p.Steps = append(p.Steps, Step{At: at, Kind: Pair, A: a, B: b})
			case 3:
				p.Steps = append(p.Steps, Step{At: at, Kind: Add, A: a, B: b}, Step{At: at, Kind: Add, A: b, B: a})
			case 4:
				p.Steps = append(p.Steps, Step{At: at, Kind: Request, A: a, B: b, M: rng.IntN(6), N: 1})
			}
		}
	}
}

// scene is steps that belong together and would seldom meet by chance; back says
// that the second device does one to the first.
type scene []struct {
	kind Kind
	back bool
}

var scenes = []scene{
	{{kind: Pair}, {Copy, true}, {Remark, true}, {kind: Pair}, {Restore, true}},
	{{kind: Pair}, {kind: Copy}, {kind: Remark}, {kind: Pair}, {kind: Restore}},
	{{kind: Pair}, {kind: Copy}, {kind: Remark}, {kind: Remove}, {kind: Restore}},
	{{kind: Pair}, {kind: Copy}, {kind: Remark}, {kind: Narrow}, {kind: Restore}},
	{{kind: Copy}, {kind: SetPresence}, {kind: Pair}, {kind: Restore}, {kind: Remove}, {kind: SetPresence}},
	{{kind: Pair}, {kind: Block}, {kind: Unblock}},
	{{kind: Pair}, {kind: Remove}},
	{{kind: Pair}, {Part, true}, {kind: Add}},
	{{kind: Copy}, {kind: Send}, {kind: Send}, {kind: Restore}, {kind: Send}, {kind: Burst}},
	{{kind: Burst}, {Copy, true}, {Remark, true}, {kind: Burst}, {Restore, true}, {kind: Send}},
	{{kind: Cut}, {kind: Burst}, {kind: Cancel}, {kind: Send}},
	{{kind: Remove}, {kind: Add}, {Part, true}, {kind: Add}},
	{{kind: Request}, {Accept, true}, {kind: Widen}, {Accept, true}},
	{{kind: Request}, {Reject, true}, {kind: Request}},
	{{kind: Request}, {kind: Withdraw}},
	{{kind: Pair}, {kind: Widen}, {kind: Withdraw}},
	{{kind: Request}, {Request, true}, {kind: Narrow}},
	{{kind: Widen}, {Widen, true}},
	{{Policy, true}, {kind: Request}, {Remove, true}, {kind: Remove}, {kind: Request}, {Accept, true}},
	{{kind: Request}, {Block, true}, {kind: Widen}, {Unblock, true}},
	{{kind: Request}, {Copy, true}, {Remark, true}, {Accept, true}, {Restore, true}},
	{{kind: Copy}, {kind: Rename}, {kind: Request}, {Accept, true}, {kind: Restore}, {kind: Withdraw}},
	{{kind: Add}, {Add, true}, {kind: Widen}, {kind: Copy}, {kind: Remark}, {kind: Withdraw}, {kind: Restore}},
	{{kind: Add}, {Add, true}, {kind: Widen}, {Remove, true}, {Add, true}},
	{{kind: Add}, {Add, true}, {kind: Widen}, {Reject, true}},
	{{kind: Add}, {Add, true}, {kind: Widen}, {Copy, true}, {Remark, true}, {Reject, true}, {Restore, true}},
	{{kind: Add}, {Add, true}, {kind: Copy}, {kind: Remark}, {kind: Widen}, {kind: Restore}},
	{{kind: Pair}, {kind: Widen}, {Accuse, true}, {Accuse, true}},
	{{kind: Request}, {Accuse, true}, {Accuse, true}, {Release, true}},
	{{kind: Request}, {Report, true}, {Unblock, true}, {kind: Request}},
	{{kind: Crash}, {kind: Request}},
	{{Crash, true}, {kind: Request}, {Accept, true}},
	{{kind: Crash}, {kind: Pair}},
	{{Crash, true}, {kind: Pair}},
}

// stage plays a scene, slowly or so fast that its steps overlap.
func (p *Plan) stage(rng *rand.Rand) {
	at := time.Duration(rng.Int64N(int64(p.Length)))
	pace := time.Duration(span(rng, 1, 60_000)) * time.Millisecond
	if rng.IntN(2) == 0 {
		pace = time.Minute // each step has time to come to its end
	}
	first := len(p.Steps)
	p.add(rng, at, Nothing)
	a, b := p.Steps[first].A, p.Steps[first].B
	p.Steps = p.Steps[:first]
	for _, part := range scenes[rng.IntN(len(scenes))] {
		p.add(rng, at, part.kind)
		s := &p.Steps[len(p.Steps)-1]
		if s.A, s.B = a, b; part.back {
			s.A, s.B = b, a
		}
		s.Newest = true
		at += time.Duration(rng.Int64N(int64(pace) + 1))
	}
}

// aim moves most of the crashes to just before an act of the device, or about it, so
// that they come amid its commits and frames.
func (p *Plan) aim(rng *rand.Rand) {
	var acts []Step
	for _, s := range p.Steps {
		if !s.Kind.Fault() {
			acts = append(acts, s)
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Kind != Crash || s.Newest || len(acts) == 0 || rng.IntN(4) == 0 {
			continue
		}
		act := acts[rng.IntN(len(acts))]
		s.At, s.A, s.N = act.At-1, act.A, s.N%3
		if rng.IntN(2) == 0 {
			s.A = act.B
		}
	}
}

func (p *Plan) add(rng *rand.Rand, at time.Duration, kind Kind) {
	s := Step{At: at, Kind: kind, A: rng.IntN(p.Devices), N: rng.IntN(1 << 16), M: rng.IntN(1 << 16)}
	s.B = (s.A + 1 + rng.IntN(p.Devices-1)) % p.Devices
	s.For = time.Duration(float64(time.Second) * span(rng, 1, 3600))
	p.Steps = append(p.Steps, s)
}

// pause is mostly about mean, and sometimes so short that things meet.
func pause(rng *rand.Rand, mean time.Duration) time.Duration {
	if rng.IntN(4) == 0 {
		return time.Duration(rng.Int64N(int64(60 * time.Millisecond)))
	}
	return time.Duration(rng.ExpFloat64() * float64(mean))
}

// span returns a number between low and high, each order of magnitude as likely as
// another.
func span(rng *rand.Rand, low, high float64) float64 {
	n := low
	for n < high && rng.IntN(3) > 0 {
		n *= 1 + 3*rng.Float64()
	}
	return min(n, high)
}

// mood is how often which kind of step is taken.
type mood struct {
	weights [kinds]int
	sum     int
}

// moods returns those of acts and of faults.
func moods(rng *rand.Rand) (acts, faults mood) {
	for k := range Kind(kinds) {
		m := &acts
		if k.Fault() {
			m = &faults
		}
		m.weights[k] = traits[k].weight * []int{0, 1, 1, 1, 4}[rng.IntN(5)]
	}
	acts.weights[Send] = max(acts.weights[Send], traits[Send].weight) // nothing is tested without messages
	for _, m := range []*mood{&acts, &faults} {
		for _, w := range m.weights {
			m.sum += w
		}
	}
	return acts, faults
}

func (m mood) pick(rng *rand.Rand) Kind {
	if m.sum == 0 {
		return Nothing
	}
	n := rng.IntN(m.sum)
	for k, w := range m.weights {
		if n -= w; n < 0 {
			return Kind(k)
		}
	}
	panic("weights do not add up")
}
