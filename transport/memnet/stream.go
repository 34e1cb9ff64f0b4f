package memnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/transport"
)

var (
	errReset   = errors.New("stream reset")
	errLost    = errors.New("connection lost")
	errStopped = errors.New("the peer closed the stream")
)

// arrival is when something sent gets there.
type arrival struct {
	at   time.Time // zero if it was not sent
	held bool      // by a cut
}

func (a arrival) sent() bool { return !a.at.IsZero() }
func (a arrival) in() bool   { return a.sent() && !a.held && !a.at.After(time.Now()) }

func (a *arrival) hold() {
	if a.sent() && a.at.After(time.Now()) {
		a.held = true
	}
}

func (a *arrival) release(latency time.Duration) {
	if a.held {
		*a = arrival{at: time.Now().Add(latency)}
	}
}

// pipe is a stream: two ends, each with what is on its way to it.
type pipe struct {
	conn  *conn
	proto transport.Protocol

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	ends    [2]end
}

type end struct {
	peer contact.ODID

	// On the way to this end, or there and unread.
	chunks []chunk
	bytes  int
	cut    bool
	open   arrival // the stream itself
	fin    arrival // the peer closed writing
	stop   arrival // the peer closed reading
	reset  arrival

	err         error // why nothing works any more
	closedRead  bool
	closedWrite bool
	deadline    time.Time
}

type chunk struct {
	arrival
	data []byte
}

// newPipe opens a stream from side i of the connection.
func newPipe(c *conn, i int, proto transport.Protocol) *pipe {
	p := &pipe{conn: c, proto: proto, changed: make(chan struct{})}
	for side := range p.ends {
		p.ends[side].peer = c.dev[1-side].id
		p.ends[side].cut = c.cut[1-side]
	}
	p.ends[1-i].open = p.send(1 - i)
	if !c.up[1-i] {
		p.ends[1-i].err = errLost
	}
	return p
}

// send returns when what is sent to end i now arrives.
func (p *pipe) send(i int) arrival {
	return arrival{at: time.Now().Add(p.latency(i)), held: p.ends[i].cut}
}

func (p *pipe) latency(i int) time.Duration {
	return p.conn.net.latency(p.ends[i].peer, p.ends[1-i].peer)
}

func (p *pipe) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// hold and release begin and end a cut of what is sent to end i.
func (p *pipe) hold(i int) {
	p.each(i, true, (*arrival).hold)
}

func (p *pipe) release(i int) {
	p.each(i, false, func(a *arrival) { a.release(p.latency(i)) })
}

func (p *pipe) each(i int, cut bool, f func(*arrival)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &p.ends[i]
	e.cut = cut
	for k := range e.chunks {
		f(&e.chunks[k].arrival)
	}
	for _, a := range []*arrival{&e.open, &e.fin, &e.stop, &e.reset} {
		f(a)
	}
	p.broadcast()
}

func (p *pipe) lose(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail(i, errLost)
}

func (p *pipe) fail(i int, err error) {
	if e := &p.ends[i]; e.err == nil {
		e.err = err
		e.chunks, e.bytes = nil, 0
	}
	p.broadcast()
}

// wait gives up p.mu until something changes for end i.
func (p *pipe) wait(i int) {
	e := &p.ends[i]
	var next time.Time
	sooner := func(at time.Time) {
		if at.After(time.Now()) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	sooner(e.deadline)
	for _, a := range []arrival{e.open, e.fin, e.stop, e.reset} {
		if !a.held {
			sooner(a.at)
		}
	}
	if len(e.chunks) > 0 && !e.chunks[0].held {
		sooner(e.chunks[0].at)
	}
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	if next.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// failed returns what keeps end i from reading and writing.
func (p *pipe) failed(i int) error {
	e := &p.ends[i]
	if e.err == nil && e.reset.in() {
		p.fail(i, errReset)
	}
	if e.err != nil {
		return e.err
	}
	if !e.deadline.IsZero() && !e.deadline.After(time.Now()) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// accepted waits until the stream has arrived at end i.
func (p *pipe) accepted(i int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := p.failed(i); err != nil {
			return err
		}
		if p.ends[i].open.in() {
			return nil
		}
		p.wait(i)
	}
}

// stream is one end of a pipe.
type stream struct {
	*pipe
	i int
}

func (s stream) Peer() contact.ODID { return s.ends[s.i].peer }

func (s stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &s.ends[s.i]
	for {
		if err := s.failed(s.i); err != nil {
			return 0, err
		}
		switch {
		case e.closedRead:
			return 0, net.ErrClosed
		case len(b) == 0:
			return 0, nil
		case len(e.chunks) > 0 && e.chunks[0].in():
			return s.take(b), nil
		case len(e.chunks) == 0 && e.fin.in():
			return 0, io.EOF
		}
		s.wait(s.i)
	}
}

func (s stream) take(b []byte) int {
	e := &s.ends[s.i]
	c := &e.chunks[0]
	n := copy(b, c.data)
	if c.data = c.data[n:]; len(c.data) == 0 {
		e.chunks = e.chunks[1:]
	}
	e.bytes -= n
	s.broadcast()
	return n
}

func (s stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, to := &s.ends[s.i], &s.ends[1-s.i]
	written := 0
	for {
		if err := s.failed(s.i); err != nil {
			return written, err
		}
		switch {
		case e.closedWrite:
			return written, net.ErrClosed
		case e.stop.in():
			return written, errStopped
		case written == len(b):
			return written, nil
		}
		free := s.conn.net.opt.Buffer - to.bytes
		if free <= 0 {
			s.wait(s.i)
			continue
		}
		part := b[written:min(len(b), written+free)]
		if tap := s.conn.net.opt.Tap; tap != nil && !tap(to.peer, e.peer, s.proto, part) {
			return written, errLost
		}
		written += len(part)
		if to.closedRead {
			continue // read by nobody, so it takes no room
		}
		to.chunks = append(to.chunks, chunk{s.send(1 - s.i), append([]byte(nil), part...)})
		to.bytes += len(part)
		s.broadcast()
	}
}

func (s stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeWrite()
	return nil
}

func (s stream) closeWrite() {
	if e := &s.ends[s.i]; !e.closedWrite {
		e.closedWrite = true
		s.ends[1-s.i].fin = s.send(1 - s.i)
		s.broadcast()
	}
}

func (s stream) Close() error {
	s.mu.Lock()
	s.closeWrite()
	e := &s.ends[s.i]
	if !e.closedRead {
		e.closedRead = true
		e.chunks, e.bytes = nil, 0
		s.ends[1-s.i].stop = s.send(1 - s.i)
		s.broadcast()
	}
	s.mu.Unlock()
	s.forget()
	return nil
}

func (s stream) Reset() error {
	s.mu.Lock()
	e := &s.ends[s.i]
	if e.closedRead && e.closedWrite {
		s.mu.Unlock()
		return nil
	}
	if e.err == nil {
		s.ends[1-s.i].reset = s.send(1 - s.i)
	}
	s.fail(s.i, errReset)
	s.mu.Unlock()
	s.forget()
	return nil
}

func (s stream) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[s.i].deadline = t
	s.broadcast()
	return nil
}

// forget takes the stream off its connection when neither end needs it.
func (s stream) forget() {
	n := s.conn.net
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.ends {
		if e := &s.ends[i]; e.err == nil && !(e.closedRead && e.closedWrite) {
			return
		}
	}
	delete(s.conn.streams, s.pipe)
}
