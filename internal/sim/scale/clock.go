package main

import (
	"container/heap"
	"time"
)

// clock plays what happens in the order of its time; of what happens at once, what
// was planned first goes first. So one seed has one outcome.
type clock struct {
	now   time.Duration // since the beginning
	plans plans
	count uint64
}

type plan struct {
	at    time.Duration
	order uint64
	do    func()
}

// after has do happen so much later.
func (c *clock) after(d time.Duration, do func()) {
	c.count++
	heap.Push(&c.plans, plan{c.now + d, c.count, do})
}

// run plays until a time.
func (c *clock) run(until time.Duration) {
	for len(c.plans) > 0 && c.plans[0].at <= until {
		p := heap.Pop(&c.plans).(plan)
		c.now = p.at
		p.do()
	}
	c.now = until
}

// plans is a heap (container/heap).
type plans []plan

func (p plans) Len() int { return len(p) }

func (p plans) Less(i, j int) bool {
	if p[i].at != p[j].at {
		return p[i].at < p[j].at
	}
	return p[i].order < p[j].order
}

func (p plans) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *plans) Push(x any)   { *p = append(*p, x.(plan)) }

func (p *plans) Pop() any {
	old := *p
	last := old[len(old)-1]
	old[len(old)-1] = plan{}
	*p = old[:len(old)-1]
	return last
}
