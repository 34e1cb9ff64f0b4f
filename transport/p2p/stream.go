package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"contactsd/contact"
	"contactsd/transport"
)

// stream is a libp2p stream. On the side that opened it the protocol is chosen
// with multistream-select 1.0, of which both sides say the same two lines:
//
//	19 "/multistream/1.0.0\n"   uvarint(n) "<protocol>\n"
//
// The opener's lines go out with the first data, the answer is taken off before
// the first data that is read. Waiting for it in between would cost a round trip.
type stream struct {
	network.Stream
	peer   contact.ODID
	closed atomic.Bool
	ended  func() // nil, or called when it is over

	hello sync.Mutex
	say   []byte // still to be written before any data
	hear  []byte // still to be read before any data; used by the reading goroutine
}

func lines(p transport.Protocol) []byte {
	var b []byte
	for _, line := range []string{"/multistream/1.0.0\n", string(p) + "\n"} {
		b = append(binary.AppendUvarint(b, uint64(len(line))), line...)
	}
	return b
}

func (s *stream) Peer() contact.ODID { return s.peer }

func (s *stream) Write(b []byte) (int, error) {
	said, err := s.introduce(b)
	switch {
	case err != nil:
		return 0, inTime(err)
	case said:
		return len(b), nil
	}
	n, err := s.Stream.Write(b)
	return n, inTime(err)
}

// inTime gives the timeouts of QUIC and yamux one name.
func inTime(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w (%v)", os.ErrDeadlineExceeded, err)
	}
	return err
}

// introduce writes the opener's lines and b unless they were written before.
func (s *stream) introduce(b []byte) (said bool, err error) {
	s.hello.Lock()
	defer s.hello.Unlock()
	if len(s.say) == 0 {
		return false, nil
	}
	all := append(s.say, b...)
	s.say = nil
	_, err = s.Stream.Write(all)
	return true, err
}

func (s *stream) Read(b []byte) (int, error) {
	if err := s.await(); err != nil {
		return 0, inTime(err)
	}
	n, err := s.Stream.Read(b)
	return n, inTime(err)
}

// await takes the peer's lines off the stream. After a deadline that passed it
// goes on where it was.
func (s *stream) await() error {
	if len(s.hear) == 0 {
		return nil
	}
	if _, err := s.introduce(nil); err != nil {
		return err
	}
	var buf [256]byte
	for len(s.hear) > 0 {
		n, err := s.Stream.Read(buf[:min(len(buf), len(s.hear))])
		if !bytes.HasPrefix(s.hear, buf[:n]) {
			s.Stream.Reset()
			return fmt.Errorf("%w: the peer does not serve it", transport.ErrRefused)
		}
		if s.hear = s.hear[n:]; len(s.hear) == 0 {
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) CloseWrite() error {
	if _, err := s.introduce(nil); err != nil {
		return err
	}
	return s.Stream.CloseWrite()
}

func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.ended != nil {
		defer s.ended()
	}
	_, err := s.introduce(nil)
	return errors.Join(err, s.Stream.Close())
}

// Reset does nothing after Close, where it would take back what is still on its way.
func (s *stream) Reset() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.ended != nil {
		defer s.ended()
	}
	return s.Stream.Reset()
}

// Serve implements transport.Network.
func (t *Transport) Serve(p transport.Protocol, h transport.Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handlers[p] = h
	if t.host != nil {
		t.host.SetStreamHandler(protocol.ID(p), t.serve)
	}
}

func (t *Transport) serve(ns network.Stream) {
	id, ok := odidOf(ns.Conn().RemotePeer())
	t.mu.Lock()
	h := t.handlers[transport.Protocol(ns.Protocol())]
	if !ok || h == nil || t.state == stopped {
		t.mu.Unlock()
		ns.Reset()
		return
	}
	t.work.Add(1)
	t.mu.Unlock()
	defer t.work.Done()
	if c := ns.Conn(); t.bulk.has(transport.Protocol(ns.Protocol())) && c.Stat().Direction == network.DirInbound {
		t.bulk.mark(c)
	}
	leave, ok := t.limit.Enter(id, t.stopped)
	if !ok {
		ns.Reset()
		return
	}
	defer leave()
	h(t.ctx, &stream{Stream: ns, peer: id})
}

// Open implements transport.Network. Before Run it waits for it. On a connection
// that is there it takes no round trip where the peer is known to serve the
// protocol, and one where it is not.
func (t *Transport) Open(ctx context.Context, peer contact.ODID, p transport.Protocol) (transport.Stream, error) {
	s, err := t.open(ctx, peer, p)
	if err != nil {
		return nil, fmt.Errorf("open %s to %s: %w", p, peer.Short(), err)
	}
	return s, nil
}

func (t *Transport) open(ctx context.Context, id contact.ODID, p transport.Protocol) (s *stream, err error) {
	// A connection may turn out to be dead when it is used, if the peer was killed
	// and is back: then there is a second attempt over another one.
	for range 3 {
		if err := t.connect(ctx, id); err != nil {
			return nil, err
		}
		if t.bulk.has(p) {
			if s := t.bulk.open(ctx, t, id, p); s != nil {
				return s, nil
			}
		}
		ns, failed := t.newStream(ctx, peerOf(id))
		if errors.Is(failed, network.ErrNoConn) {
			err = fmt.Errorf("%w: %w", transport.ErrUnreachable, errLost)
			continue
		}
		if failed != nil {
			return nil, t.failure(ctx, failed)
		}
		s := &stream{Stream: ns, peer: id, say: lines(p), hear: lines(p)}
		if err = t.negotiate(ctx, s, p); err == nil {
			return s, nil
		}
		ns.Reset()
		if !errors.Is(err, errLost) {
			return nil, err
		}
	}
	return nil, err
}

var errLost = errors.New("the connection was lost")

// negotiate waits for the answer unless Identify has brought it already.
func (t *Transport) negotiate(ctx context.Context, s *stream, p transport.Protocol) error {
	if err := s.SetProtocol(protocol.ID(p)); err != nil {
		return fmt.Errorf("%w: too many streams: %v", transport.ErrUnreachable, err)
	}
	pid := peerOf(s.peer)
	store := t.host.Peerstore()
	if known, err := store.SupportsProtocols(pid, protocol.ID(p)); err == nil && len(known) > 0 {
		return nil
	}
	past := time.Unix(1, 0)
	undo := context.AfterFunc(ctx, func() { s.SetDeadline(past) })
	s.SetDeadline(time.Now().Add(dialTimeout))
	err := s.await()
	if !undo() {
		return ctx.Err()
	}
	switch {
	case errors.Is(err, transport.ErrRefused):
		return err
	case t.ctx.Err() != nil:
		return transport.ErrClosed
	case err != nil && s.Conn().IsClosed():
		return fmt.Errorf("%w: %w: %v", transport.ErrUnreachable, errLost, err)
	case errors.Is(err, network.ErrReset):
		return fmt.Errorf("%w: the peer reset the stream", transport.ErrRefused)
	case err != nil:
		return fmt.Errorf("%w: %v", transport.ErrUnreachable, err)
	}
	s.SetDeadline(time.Time{})
	return store.AddProtocols(pid, protocol.ID(p))
}

// connect returns nil when there is a connection with the peer, and notes what
// came of dialling it.
func (t *Transport) connect(ctx context.Context, id contact.ODID) error {
	dialled, raw, err := t.dialOnce(ctx, id)
	if dialled {
		t.dials.Ended(id, err, words(raw))
	}
	return err
}

// dialOnce is connect without the note. It reports whether anything was dialled,
// and beside its error the one that libp2p had.
func (t *Transport) dialOnce(ctx context.Context, id contact.ODID) (dialled bool, raw, err error) {
	if id == t.self {
		return false, nil, transport.ErrSelf
	}
	select {
	case <-t.stopped:
		return false, nil, transport.ErrClosed
	case <-t.ready:
	case <-ctx.Done():
		return false, nil, ctx.Err()
	}
	select {
	case <-t.stopped:
		return false, nil, transport.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return false, nil, err
	}
	pid := peerOf(id)
	if t.swarm.Connectedness(pid) == network.Connected {
		return false, nil, nil
	}
	t.recall(id)
	if !t.book.has(pid) && t.gate.InterceptPeerDial(pid) {
		return false, nil, fmt.Errorf("%w: no address known", transport.ErrUnreachable) // what libp2p takes long to say
	}
	// Callers space out their attempts themselves, and the user must not wait.
	t.swarm.Backoff().Clear(pid)
	_, raw = t.swarm.DialPeer(network.WithDialPeerTimeout(ctx, 2*dialTimeout), pid)
	nowhere := errors.Is(raw, swarm.ErrNoAddresses) || errors.Is(raw, swarm.ErrNoGoodAddresses) || errors.Is(raw, swarm.ErrGaterDisallowedConnection)
	return !nowhere, raw, t.failure(ctx, raw)
}

// failure turns an error of libp2p into one of the contract.
func (t *Transport) failure(ctx context.Context, err error) error {
	select {
	case <-t.stopped:
		return transport.ErrClosed
	default:
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, swarm.ErrSwarmClosed), errors.Is(err, net.ErrClosed) && t.ctx.Err() != nil:
		return transport.ErrClosed
	case errors.Is(err, swarm.ErrGaterDisallowedConnection):
		return fmt.Errorf("%w: not a contact, and not named by the user", transport.ErrUnreachable)
	case errors.Is(err, swarm.ErrNoAddresses), errors.Is(err, swarm.ErrNoGoodAddresses):
		return fmt.Errorf("%w: no address known", transport.ErrUnreachable)
	case mismatch(err) != nil:
		return fmt.Errorf("%w: %w", transport.ErrUnreachable, mismatch(err))
	}
	return fmt.Errorf("%w: %s", transport.ErrUnreachable, brief(err))
}

// odidOf returns the ODID of a libp2p peer ID, whose bytes are the multihash
// "identity" of the key's protobuf: six bytes, then the key.
func odidOf(p peer.ID) (id contact.ODID, ok bool) {
	if len(p) != len(peerPrefix)+len(id) || string(p[:len(peerPrefix)]) != peerPrefix {
		return id, false
	}
	return contact.ODID([]byte(p[len(peerPrefix):])), true
}

func peerOf(id contact.ODID) peer.ID { return peer.ID(peerPrefix + string(id[:])) }

const peerPrefix = "\x00\x24\x08\x01\x12\x20"
