package message

import (
	"container/heap"
	"math/bits"
	"time"
)

// laneHeap has the lane that goes first at its head. A lane is in one heap at most.
type laneHeap struct {
	list []*lane
	less func(a, b *lane) bool
}

func (h *laneHeap) add(l *lane) { heap.Push(h, l) }

// first returns the lane at the head, nil if there is none.
func (h *laneHeap) first() *lane {
	if len(h.list) == 0 {
		return nil
	}
	return h.list[0]
}

// take takes a lane out of the heap that it is in, if it is in one.
func (l *lane) take() {
	if l.heap != nil {
		heap.Remove(l.heap, l.index)
	}
}

// resize notes how many messages a lane has, which moves it in the backlog.
func (l *lane) resize(n int) {
	l.size = n
	if l.heap != nil {
		heap.Fix(l.heap, l.index)
	}
}

// turn orders the backlog: who came first, but the smaller queue first of two that
// came at about the same time.
func (l *lane) turn() time.Time {
	return l.due.Add(time.Duration(bits.Len(uint(l.size))) * sizeStep)
}

// Len implements heap.Interface.
func (h *laneHeap) Len() int { return len(h.list) }

// Less implements heap.Interface.
func (h *laneHeap) Less(i, j int) bool { return h.less(h.list[i], h.list[j]) }

// Swap implements heap.Interface.
func (h *laneHeap) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].index, h.list[j].index = i, j
}

// Push implements heap.Interface.
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.heap, l.index = h, len(h.list)
	h.list = append(h.list, l)
}

// Pop implements heap.Interface.
func (h *laneHeap) Pop() any {
	last := len(h.list) - 1
	l := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	l.heap = nil
	return l
}
