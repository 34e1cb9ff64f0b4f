package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"contactsd/contact"
)

// What people do in the model. The numbers are assumptions, not measurements.
const (
	people       = 100
	days         = 30
	strangersDay = 10 // honest ones that begin to ask, a day
	circle       = 8  // people that know each other, whom such a one asks, one a day
	asksADay     = 10 // of one spammer's device: what 30 credits pay
	reportsSpam  = 0.30
	rejectsSpam  = 0.50 // the rest is left lying
	reportsWrong = 0.01 // of honest asks, by mistake or ill will
	rejectsWrong = 0.10
)

// scene is one row of a table.
type scene struct {
	Name     string
	Paired   int  // paired contacts of each person
	Spammers int  // devices that send spam
	Copies   bool // they all write the same
	Colluder int  // of ten people next to each other, those that report every honest stranger who asks them
	Brigade  int  // devices that nobody has paired with, and that report every honest stranger to everybody
}

// score is what came of it.
type score struct {
	Sent    float64 // spam asks
	Seen    float64 // of them, that a person had on the list of what waits
	Held    float64 // of them, in quarantine
	Honest  float64 // asks of honest strangers
	Hurt    float64 // of them, in quarantine
	Late    float64 // of them, told to come later
	Locked  float64 // honest devices whose asks were locked
	PerSeen float64 // spam asks for one that is seen
}

// person is somebody with a device.
type person struct {
	id      contact.ODID
	paired  []int
	heard   map[contact.ODID][]contact.Accusation // by whom they are on
	asked   map[contact.ODID]*dealings
	wrote   map[[16]byte]contact.Writings
	waiting []request
	held    []request
	crowd   contact.Crowd // of today
	heldDay int
}

// dealings are what a device had with one stranger.
type dealings struct {
	today    int
	rejected int
	shut     bool // reported, and so blocked
}

type request struct {
	from contact.ODID
	spam bool
}

// newcomer is an honest stranger that gets to know a circle.
type newcomer struct {
	id    contact.ODID
	first int // of the circle
	asked int
}

type model struct {
	scene
	rng       *rand.Rand
	policy    contact.Policy
	now       time.Time
	people    []*person
	newcomers []newcomer
	names     uint64
	rebukes   map[contact.ODID][]contact.Rebuke
	locked    map[contact.ODID]time.Time
	score     score
}

// play plays a scene.
func play(s scene, seed uint64) score {
	m := &model{
		scene: s, policy: contact.DefaultPolicy(), rng: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
		rebukes: make(map[contact.ODID][]contact.Rebuke), locked: make(map[contact.ODID]time.Time),
	}
	for range people {
		m.people = append(m.people, &person{
			id: m.name(), heard: make(map[contact.ODID][]contact.Accusation),
			asked: make(map[contact.ODID]*dealings), wrote: make(map[[16]byte]contact.Writings),
		})
	}
	m.befriend()
	spammers := make([]contact.ODID, s.Spammers)
	for i := range spammers {
		spammers[i] = m.name()
	}
	for range days {
		m.day(spammers)
		m.now = m.now.Add(24 * time.Hour)
	}
	if m.score.Seen > 0 {
		m.score.PerSeen = m.score.Sent / m.score.Seen
	}
	return m.score
}

// name returns an ODID of nobody else.
func (m *model) name() (id contact.ODID) {
	m.names++
	binary.BigEndian.PutUint64(id[:], m.names)
	return id
}

// befriend pairs people with those next to them, so that friends have friends in
// common, as people do.
func (m *model) befriend() {
	for i := range m.people {
		for k := 1; k <= m.Paired; k++ {
			by := (k + 1) / 2
			if k%2 == 0 {
				by = -by
			}
			m.people[i].paired = append(m.people[i].paired, (i+by+people)%people)
		}
	}
}

func (m *model) day(spammers []contact.ODID) {
	for _, p := range m.people {
		p.crowd = contact.Crowd{Waiting: len(p.waiting)}
		p.heldDay = 0
		for _, d := range p.asked {
			d.today = 0
		}
	}
	type ask struct {
		to   int
		from contact.ODID
		spam bool
	}
	var asks []ask
	for _, from := range spammers { // their program knows no lock
		for range asksADay {
			asks = append(asks, ask{m.rng.IntN(people), from, true})
		}
	}
	for range strangersDay {
		m.newcomers = append(m.newcomers, newcomer{id: m.name(), first: m.rng.IntN(people)})
	}
	for i := range m.newcomers {
		if n := &m.newcomers[i]; n.asked < circle && !m.now.Before(m.locked[n.id]) {
			asks = append(asks, ask{(n.first + n.asked) % people, n.id, false})
			n.asked++
		}
	}
	m.rng.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
	for _, a := range asks {
		m.ask(m.people[a.to], a.from, a.spam)
	}
	for i := range m.people {
		m.looks(i)
	}
}

// ask is an ask as it arrives.
func (m *model) ask(p *person, from contact.ODID, spam bool) {
	d := p.asked[from]
	if d == nil {
		d = &dealings{}
		p.asked[from] = d
	}
	wording := fmt.Sprintf("a wording of its own, number %d", m.rng.Uint64())
	if spam && m.Copies {
		wording = "buy all of my wonderful stuff"
	}
	is, key := m.admits(p, from, d, wording)
	if is == contact.Keep || is == contact.Quarantine {
		d.today++
		p.wrote[key] = p.wrote[key].Add(from, m.now)
	}
	r := request{from, spam}
	waits := slices.Contains(p.waiting, r)
	switch {
	case is == contact.Keep && !waits:
		p.waiting = append(p.waiting, r)
		p.crowd.Waiting++
		p.crowd.Today++
	case is == contact.Quarantine:
		p.held = append(p.held, r)
		p.heldDay++
	}
	m.count(is, spam)
}

// admits decides about an ask as package relation does.
func (m *model) admits(p *person, from contact.ODID, d *dealings, wording string) (contact.Admission, [16]byte) {
	key, counts := contact.WordingKey(wording)
	suspicion := contact.Unsuspected
	_, accused := contact.Quarantined(contact.Untrusted, p.heard[from], time.Time{}, m.now)
	switch {
	case accused:
		suspicion = contact.SuspectedReports
	case contact.RepeatsAfter(d.rejected):
		suspicion = contact.SuspectedRepeater
	case counts && p.wrote[key].Add(from, m.now).Copied():
		suspicion = contact.SuspectedCopy
	}
	crowd := p.crowd
	if suspicion != contact.Unsuspected {
		crowd.Today = p.heldDay
	}
	waits := slices.ContainsFunc(p.waiting, func(r request) bool { return r.from == from })
	return contact.Admit(m.policy, contact.Asker{
		Blocked: d.shut, Waits: waits, Today: d.today, Proven: true, Suspicion: suspicion,
	}, crowd), key
}

func (m *model) count(is contact.Admission, spam bool) {
	s := &m.score
	if spam {
		s.Sent++
		switch is {
		case contact.Keep:
			s.Seen++
		case contact.Quarantine:
			s.Held++
		}
		return
	}
	s.Honest++
	switch is {
	case contact.Quarantine:
		s.Hurt++
	case contact.Postpone:
		s.Late++
	}
}

// looks has a person answer what waits.
func (m *model) looks(i int) {
	p := m.people[i]
	var left []request
	for _, r := range p.waiting {
		reports, rejects := reportsSpam, rejectsSpam
		if !r.spam {
			reports, rejects = reportsWrong, rejectsWrong
			m.denounce(r.from)
			if i%10 < m.Colluder {
				reports = 1
			}
		}
		switch x := m.rng.Float64(); {
		case x < reports:
			p.asked[r.from].shut = true
			m.report(i, r.from)
			m.rebuke(p, r)
		case x < reports+rejects:
			p.asked[r.from].rejected++
		case r.spam:
			left = append(left, r)
		}
	}
	p.waiting = left
}

// report tells the paired contacts of a person.
func (m *model) report(i int, on contact.ODID) {
	for _, f := range m.people[i].paired {
		m.hear(m.people[f], m.people[i].id, on, true)
	}
}

func (m *model) hear(p *person, by, on contact.ODID, paired bool) {
	p.heard[on] = append(p.heard[on], contact.Accusation{Reporter: by, Paired: paired, Heard: m.now, Lapses: m.now.Add(contact.ReportLife)})
}

// denounce has the brigade report an honest stranger to everybody.
func (m *model) denounce(on contact.ODID) {
	for range m.Brigade {
		by := m.name()
		for _, o := range m.people {
			m.hear(o, by, on, false)
		}
	}
}

// rebuke tells who asked that it was reported.
func (m *model) rebuke(p *person, r request) {
	if r.spam {
		return
	}
	kept, lock := contact.Rebuked(m.rebukes[r.from], p.id, m.now)
	if m.rebukes[r.from] = kept; lock {
		m.locked[r.from] = m.now.Add(contact.LockTime)
		m.score.Locked++
	}
}
