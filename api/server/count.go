package server

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"
)

// callCounts counts the calls that ended, by method and code. The zero value has none.
// A method that is not of the schema never gets here, so it stays small.
type callCounts struct {
	mu sync.RWMutex
	n  map[callKey]*atomic.Uint64
}

// callKey is by what calls are counted.
type callKey struct{ call, code string }

func compareCalls(a, b callKey) int {
	return cmp.Or(cmp.Compare(a.call, b.call), cmp.Compare(a.code, b.code))
}

// callUnread is where requests count that belong to no call: those of callers
// who may not call, and those that could not be read.
const callUnread = "unread"

// ended counts one call: of a procedure like
// "/contacts.v1.DeviceService/GetStatus", with the error that its caller is told.
func (c *callCounts) ended(procedure string, err error) {
	code := "ok"
	if err != nil {
		code = connect.CodeOf(err).String()
	}
	c.count(callKey{procedure[strings.LastIndexByte(procedure, '/')+1:], code})
}

func (c *callCounts) count(key callKey) {
	c.mu.RLock()
	n := c.n[key]
	c.mu.RUnlock()
	if n == nil {
		n = c.counter(key)
	}
	n.Add(1)
}

func (c *callCounts) counter(key callKey) *atomic.Uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[callKey]*atomic.Uint64)
	}
	if c.n[key] == nil {
		c.n[key] = new(atomic.Uint64)
	}
	return c.n[key]
}

func (c *callCounts) family() family {
	f := counter("api_calls_total", "Calls of the API that ended, by method and code.")
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, key := range slices.SortedFunc(maps.Keys(c.n), compareCalls) {
		f.samples = append(f.samples, of(c.n[key].Load(), "call", key.call, "code", key.code))
	}
	return f
}
