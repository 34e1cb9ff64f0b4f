package message

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"contactsd/transport"
)

// How long a delivery waits.
const (
	openTimeout = 20 * time.Second // for a stream, dialling included, at most
	firstDial   = 5 * time.Second  // for the first attempt at dialling; each failure doubles it
	peerTimeout = 30 * time.Second // for the other side to go on
	idleStream  = 10 * time.Second // a stream stays open for the next message
	lastWords   = time.Second      // for a refusal, after writing failed
)

// delivery is one stream to a contact, from its hello to its end.
type delivery struct {
	s      *Service
	l      *lane
	st     transport.Stream
	w      *bufio.Writer
	out    *transport.FrameWriter // through w
	frames chan *frame
	broken chan error // what ended the reader

	held      share // bodies between the disk and the stream
	pos       position
	flights   []flight       // in the order in which they were sent
	size      int            // bytes of their bodies
	settling  sync.WaitGroup // acknowledgements that the store has
	unsettled chan error     // why one could not be written down
}

func (s *Service) deliver(ctx context.Context, l *lane) error {
	st, err := s.open(ctx, l)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(st, streamBuffer)
	d := &delivery{
		s: s, l: l, st: st, held: share{b: &s.outgoing},
		w: w, out: transport.NewFrameWriter(w, maxFrame),
		// An honest peer never acknowledges more often than it was sent frames,
		// so the reader never waits and both sides can't wait for each other.
		frames:    make(chan *frame, windowFrames+2),
		broken:    make(chan error, 1),
		unsettled: make(chan error, 1),
	}
	end := make(chan struct{})
	go d.read(end)
	err = d.run(ctx)
	d.settling.Wait() // what was acknowledged is written down before anybody looks again
	select {
	case failed := <-d.unsettled:
		err = errors.Join(err, failed)
	default:
	}
	close(end)
	if err == nil || errors.Is(err, errHeld) {
		st.Close()
	}
	st.Reset() // ends the reader in any case
	for range d.frames {
	}
	return err
}

// read hands over what the peer says until the stream or the delivery ends.
func (d *delivery) read(end <-chan struct{}) {
	defer close(d.frames)
	d.patience(peerTimeout)
	r := transport.NewFrameReader(d.st, maxFrame)
	for {
		f, err := read(r)
		if err != nil {
			d.broken <- err
			return
		}
		select {
		case d.frames <- &f:
		case <-end:
			d.broken <- io.ErrClosedPipe
			return
		}
	}
}

// patience gives the peer so long to go on. A stream that can't keep time is
// broken, and reading from it says so.
func (d *delivery) patience(t time.Duration) { _ = d.st.SetDeadline(time.Now().Add(t)) }

func (d *delivery) run(ctx context.Context) error {
	hello, err := d.next(ctx)
	if err != nil {
		return err
	}
	if hello.Type != frameHello {
		return fmt.Errorf("%w: frame type %d before hello", errProtocol, hello.Type)
	}
	d.s.opened(d.l)
	held, more := hello.Have, true
	idle := time.NewTimer(idleStream)
	defer idle.Stop()
	for {
		if held != nil || more && d.roomy() {
			if more, err = d.send(held); err != nil {
				return err
			}
			held = nil
			idle.Reset(idleStream)
			if len(d.flights) == 0 {
				d.patience(idleStream + peerTimeout)
			}
		}
		var expired <-chan time.Time
		if len(d.flights) == 0 {
			expired = idle.C
		}
		select {
		case f, ok := <-d.frames:
			if !ok {
				err := <-d.broken
				if len(d.flights) == 0 && !more {
					return nil // nothing was at stake
				}
				return err
			}
			if err := d.answer(f); err != nil {
				return err
			}
			idle.Reset(idleStream)
		case err := <-d.unsettled:
			return err
		case <-d.l.wake:
			more = true
		case <-expired:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next waits for a frame.
func (d *delivery) next(ctx context.Context) (*frame, error) {
	select {
	case f, ok := <-d.frames:
		if !ok {
			return nil, <-d.broken
		}
		if f.Type == frameRefused {
			return nil, f.refusal()
		}
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// roomy reports whether filling the window is worth a transaction.
func (d *delivery) roomy() bool {
	return len(d.flights) == 0 || len(d.flights) <= windowFrames*3/4 && d.size <= windowBytes*3/4
}

// send sends what comes next. It says whether there is more than the window
// allows.
func (d *delivery) send(held *have) (more bool, err error) {
	frames, bytes := windowFrames-len(d.flights), windowBytes-d.size
	c, whole := d.s.express(d.l, d.pos, frames, bytes)
	if held != nil || !whole {
		defer d.held.drop()
		c, err = d.s.step(d.l.peer, step{hello: held, pos: d.pos, frames: frames, bytes: d.held.allow(bytes)})
		if err != nil {
			return false, err
		}
		if c.held {
			return false, errHeld
		}
		d.s.grant(d.l, c, frames-len(c.frames), bytes-c.size)
	}
	d.pos = c.pos
	if len(c.frames) == 0 {
		return c.more, nil
	}
	d.flights = append(d.flights, c.flights...)
	d.size += c.size
	d.patience(peerTimeout)
	for _, f := range c.frames {
		if err := d.out.Write(f); err != nil {
			return false, d.parting(err)
		}
	}
	if err := d.w.Flush(); err != nil {
		return false, d.parting(err)
	}
	d.s.traceFrames(LogSent, d.l.peer, c.frames)
	return c.more, nil
}

// parting looks for a refusal behind an error of writing: a peer that refuses
// answers and then takes nothing more.
func (d *delivery) parting(err error) error {
	d.patience(lastWords)
	for f := range d.frames {
		if f.Type == frameRefused {
			return f.refusal()
		}
	}
	return err
}

// answer takes what the peer said, and what else it has said already.
func (d *delivery) answer(f *frame) error {
	d.patience(peerTimeout)
	for {
		switch f.Type {
		case frameAck:
			if err := d.ack(f.position()); err != nil {
				return err
			}
		case frameRefused:
			return f.refusal()
		default:
			return fmt.Errorf("%w: frame type %d from a receiver", errProtocol, f.Type)
		}
		select {
		case next, ok := <-d.frames:
			if !ok {
				return <-d.broken
			}
			f = next
		default:
			return nil
		}
	}
}

// ack takes all frames up to the one that ends at p off the window.
func (d *delivery) ack(p position) error {
	for i, f := range d.flights {
		if f.last == p {
			acked := d.flights[: i+1 : i+1]
			d.flights = d.flights[i+1:]
			for _, f := range acked {
				d.size -= f.size
			}
			d.s.progress(d.l)
			if !slices.ContainsFunc(acked, func(f flight) bool { return len(f.messages) > 0 }) {
				return nil // sent again for a contact that had lost it
			}
			d.settling.Add(1)
			d.s.traceFlights(LogAcknowledged, d.l.peer, acked)
			d.s.acknowledge(d.l.peer, acked, d.settled)
			return nil
		}
	}
	return fmt.Errorf("%w: number %d acknowledged but not sent", errProtocol, p.seq)
}

// settled is told how the writing down of an acknowledgement ended.
func (d *delivery) settled(err error) {
	defer d.settling.Done()
	if err == nil {
		return
	}
	select {
	case d.unsettled <- err:
	default: // one says enough
	}
}
