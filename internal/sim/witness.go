package sim

import (
	"bytes"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"contactsd/check"
	"contactsd/contact"
	"contactsd/pairing"
	"contactsd/presence"
	"contactsd/profile"
	"contactsd/relation"
	"contactsd/transport"
)

// grace is how long after an act what it forbids may still happen: what was being
// done has to end.
const grace = 10 * time.Millisecond

// ban is a time in which a device's user lets another have nothing of a kind.
type ban struct{ from, to time.Time } // to is zero while it lasts

func (b ban) holds(at time.Time) bool {
	return !b.from.IsZero() && at.Sub(b.from) >= grace && (b.to.IsZero() || at.Before(b.to))
}

// bans are all of them, the last one perhaps lasting.
type bans []ban

func (b bans) holds(at time.Time) bool {
	return slices.ContainsFunc(b, func(b ban) bool { return b.holds(at) })
}

// holdsFrom reports whether there was a ban then and ever since.
func (b bans) holdsFrom(at time.Time) bool {
	n := len(b)
	return n > 0 && b[n-1].to.IsZero() && b[n-1].holds(at)
}

// is notes whether there is a ban from now on.
func (b *bans) is(banned bool) {
	n := len(*b)
	lasts := n > 0 && (*b)[n-1].to.IsZero()
	switch {
	case banned && !lasts:
		*b = append(*b, ban{from: time.Now()})
	case !banned && lasts:
		(*b)[n-1].to = time.Now()
	}
}

// dealings are what one user lets another have, and what the other was given.
type dealings struct {
	any      bans // from the other's being off the list or blocked
	shut     bans // from the other's having been removed or blocked: strangers may have more
	presence bans
	messages bans
	keys     [][]byte // presence keys that were handed over
	asking   int      // questions of this user that wait for an answer
}

// judge notes what a belief allows.
func (d *dealings) judge(b *belief) {
	d.any.is(!b.giving && !b.listed())
	d.shut.is(!b.giving && len(b.running) == 0 && b.surely(func(s standing) bool { return s.blocked || s.gone }))
	d.presence.is(!b.giving && !b.lets(contact.Presence))
	d.messages.is(!b.giving && !b.lets(contact.Messages))
}

// tap looks at all that a device sends. It says false when a crash comes before it.
func (w *world) tap(from, to contact.ODID, p transport.Protocol, b []byte) bool {
	w.mu.Lock()
	l, i, j := w.lives[from], w.index[from], w.index[to]
	if w.reached != nil {
		if w.frames--; w.frames == 0 {
			close(w.reached)
			w.reached = nil
		}
	}
	intruder := w.intruders[from]
	w.mu.Unlock()
	if intruder {
		return true
	}
	if l == nil || !l.sends() {
		return false
	}
	switch p {
	case relation.Protocol, pairing.Protocol: // strangers get an answer, too
	case presence.Protocol:
		w.hears(i, j, b)
	default:
		w.mu.Lock()
		leaks := w.deals[i][j].any.holds(time.Now())
		switch p {
		case presence.GossipProtocol:
			leaks = w.deals[i][j].presence.holds(time.Now())
		case check.Protocol: // what is no question of its own is an answer
			leaks = leaks && w.deals[i][j].asking == 0
		case profile.Protocol: // the same, and strangers are answered
			leaks = w.deals[i][j].shut.holds(time.Now()) && w.deals[i][j].asking == 0
		}
		w.mu.Unlock()
		if leaks {
			w.violate("leak", "%s sent %s %d bytes of %s", w.hosts[i].name, w.hosts[j].name, len(b), p)
		}
	}
	return true
}

// hears looks at a frame of presence: nobody who may not see it gets one, or holds
// the key to it.
func (w *world) hears(i, j int, b []byte) {
	var f struct {
		Key    []byte `cbor:"1,keyasint,omitempty"`
		Beacon []byte `cbor:"2,keyasint,omitempty"`
	}
	if err := transport.NewFrameReader(bytes.NewReader(b), len(b)).Read(&f); err != nil {
		w.violate("leak", "%s sends %s presence that can't be read: %v", w.hosts[i].name, w.hosts[j].name, err)
		return
	}
	now := time.Now()
	var readers []string
	w.mu.Lock()
	leaks := w.deals[i][j].presence.holds(now)
	if f.Key != nil {
		d := w.deals[i][j]
		if !slices.ContainsFunc(d.keys, func(k []byte) bool { return bytes.Equal(k, f.Key) }) {
			d.keys = append(d.keys, f.Key)
		}
	}
	if f.Beacon != nil && !bytes.Equal(f.Beacon, w.beacons[i]) {
		w.beacons[i] = f.Beacon
		for k, d := range w.deals[i] {
			if k != i && d.presence.holds(now) && slices.ContainsFunc(d.keys, func(key []byte) bool { return opens(key, w.hosts[i].self(), f.Beacon) }) {
				readers = append(readers, w.hosts[k].name)
			}
		}
	}
	w.mu.Unlock()
	if leaks {
		w.violate("leak", "%s told %s its presence", w.hosts[i].name, w.hosts[j].name)
	}
	for _, name := range readers {
		w.violate("key", "%s, who may not see how %s is, holds the key to a new beacon", name, w.hosts[i].name)
	}
}

// opens reports whether a key opens a sealed beacon (see package presence).
func opens(key []byte, origin contact.ODID, sealed []byte) bool {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil || len(sealed) < aead.NonceSize() {
		return false
	}
	_, err = aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], origin[:])
	return err == nil
}

// follow reads what a device's journal says since it was last read, and looks whether
// a message came that was forbidden all the time in between. The events' own times
// are the device's, whose clock may be wrong.
func (w *world) follow(h *host, l *life) {
	since := h.followed
	h.followed = time.Now()
	entries, err := l.db.Events(h.cursor, 10_000)
	if err != nil { // it was restored, or has crashed: what it holds is of another life
		h.cursor, _ = l.db.Cursor()
		return
	}
	for _, e := range entries {
		h.cursor = e.Cursor
		if e.Event.Type != contact.MessageReceived {
			continue
		}
		w.mu.Lock()
		j, known := w.index[e.Event.Contact]
		banned := known && w.deals[h.i][j].messages.holdsFrom(since)
		w.mu.Unlock()
		if banned {
			w.violate("allow", "%s took a message from %s, whom it allows none", h.name, w.hosts[j].name)
		}
	}
}

// guesses looks at how many wrong codes a device counts.
func (w *world) guesses(h *host, l *life) {
	short, long, err := l.Pairing.Guesses()
	if err != nil {
		return // it stops just now
	}
	w.mu.Lock()
	wrong := 0
	for _, at := range w.guessed[h.i] {
		if time.Since(at) < 23*time.Hour {
			wrong++
		}
	}
	w.mu.Unlock()
	if short+long < wrong {
		w.violate("guess", "%s counts %d wrong codes of %d", h.name, short+long, wrong)
	}
}
