package relation

import (
	"crypto/sha256"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/transport"
)

// Two contacts that meet again have mostly nothing new to say. The opener first
// shows digests, of what it would say and of what it heard last; when both are what
// the other side has, that is all, and neither sends its statement, addresses,
// name and the revision of its profile again. Else, and to anybody that is no contact, whatever it shows, the answer
// is an empty frame, and the exchange follows on the same stream.

// digest is the start of the SHA-256 of what a device says: its statement, addresses,
// name and the revision of its profile, as a frame. Who finds two with the same deceives itself alone.
type digest [16]byte

// UnmarshalCBOR accepts a byte string of exactly the right length.
func (d *digest) UnmarshalCBOR(data []byte) error { return codec.Fixed(d[:], data) }

// digestOf returns the digest of what f says of its sender.
func digestOf(f frame) (d digest, err error) {
	b, err := codec.Marshal(frame{Mine: f.Mine, Addresses: f.Addresses, Name: f.Name, Profile: f.Profile})
	if err != nil {
		return d, err
	}
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d, nil
}

// saying is all that a device may tell a peer, and what it heard of it last.
type saying struct {
	frame
	held  *digest // nil if it never said all
	shown uint64  // the revision of its profile then
	calm  bool    // the peer is listed, and holds the newest that is said of it
}

// brief returns the frame that stands for all of it; ok is false if there is news, or
// the peer may have some.
func (s saying) brief() (f frame, ok bool) {
	if !s.calm || s.held == nil {
		return frame{}, false
	}
	d, err := digestOf(s.frame)
	return frame{Said: &d, Held: s.held}, err == nil
}

// meets reports whether the peer's brief frame says that neither has news.
func (s saying) meets(in frame) bool {
	own, ok := s.brief()
	return ok && in.Held != nil && *own.Said == *in.Held && *own.Held == *in.Said
}

// begin reads the frame that opens an exchange, after a brief one the next. done
// reports that a brief one was all.
func (s *Service) begin(st transport.Stream, r *transport.FrameReader, d contact.Decision) (in frame, done bool, err error) {
	if err := r.Read(&in); err != nil || in.Said == nil {
		return in, false, err
	}
	if d == contact.Serve {
		own, err := s.say(st.Peer())
		if err != nil {
			return in, false, err
		}
		if done = own.meets(in); done {
			s.cfg.Noticed(st.Peer(), own.shown)
		}
	}
	if err := transport.WriteFrame(st, frame{Same: done}, maxFrame); err != nil || done {
		return in, done, err
	}
	full := in.Full
	in = frame{}
	err = r.Read(&in)
	in.Full = in.Full || full
	return in, false, err
}

// remember notes what the peer says, if it is all that it says and the newest.
func (e *entry) remember(h heard) error {
	if h.mine == nil || !e.listed() || !same(e.row.Theirs, h.Mine) {
		return nil
	}
	d, err := digestOf(h.frame)
	e.row.Held, e.row.Profile = &d, h.Profile
	return err
}

// remembers reports whether remember would change nothing.
func (e *entry) remembers(h heard) bool {
	if h.mine == nil || !e.listed() || !same(e.row.Theirs, h.Mine) {
		return true
	}
	d, err := digestOf(h.frame)
	return err == nil && e.row.Held != nil && *e.row.Held == d
}
