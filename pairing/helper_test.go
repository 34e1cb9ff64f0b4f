package pairing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/memnet"
)

func newIdentity(t testing.TB, n byte) *identity.Identity {
	t.Helper()
	id, err := identity.FromSeed([32]byte{n})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// pipe is one end of a stream without a network; peer is what the connection
// under it would have proven.
type pipe struct {
	net.Conn
	peer  contact.ODID
	alter func(t frameType, raw []byte) []byte // of each frame written, nil for none
}

func (p *pipe) Write(b []byte) (int, error) {
	out := b
	if p.alter != nil {
		if out = p.alter(frameType(b[2]), append([]byte(nil), b...)); len(out) == 0 {
			return len(b), nil
		}
	}
	if _, err := p.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *pipe) CloseWrite() error  { return nil }
func (p *pipe) Reset() error       { return p.Conn.Close() }
func (p *pipe) Peer() contact.ODID { return p.peer }

// duel is one session of the two sides, with nothing around them.
type duel struct {
	s, e       *identity.Identity
	sSees      contact.ODID // who the connection says E is
	eSees      contact.ODID
	codes      []string
	entered    string
	link       *shownCode // entered in its place
	alterS     func(frameType, []byte) []byte
	alterE     func(frameType, []byte) []byte
	stageError error

	// What came of it.
	rs, re     Result
	errS, errE error
	debits     int
	wrong      int
	used       int
	stagedAt   Result
	committed  Result
}

func newDuel(t testing.TB) *duel {
	s, e := newIdentity(t, 1), newIdentity(t, 2)
	return &duel{s: s, e: e, sSees: e.Self(), eSees: s.Self(), codes: []string{"482193"}, entered: "482193"}
}

func (d *duel) showing(c net.Conn) *showing {
	var codes []*shownCode
	for _, digits := range d.codes {
		codes = append(codes, &shownCode{digits: digits})
	}
	return &showing{
		line:       newLine(&pipe{c, d.sSees, d.alterS}),
		id:         d.s,
		name:       "Sam",
		allow:      contact.Audio,
		candidates: func(uint8) ([]*shownCode, error) { return codes, nil },
		debit:      func(*shownCode) error { d.debits++; return nil },
		failed:     func(*shownCode) { d.wrong++ },
		use: func(c *shownCode) bool {
			if c.used {
				return false
			}
			c.used = true
			d.used++
			return true
		},
		stage:   func(r Result) error { d.stagedAt = r; return d.stageError },
		proving: func(bool) bool { return true },
	}
}

func (d *duel) entering(c net.Conn) *entering {
	secret := d.link
	if secret == nil {
		secret = &shownCode{digits: d.entered}
	}
	return &entering{
		line:   newLine(&pipe{c, d.eSees, d.alterE}),
		id:     d.e,
		name:   "Eve",
		secret: secret,
		commit: func(r Result) error { d.committed = r; return nil },
	}
}

func (d *duel) run() *duel {
	cs, ce := net.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		defer cs.Close()
		side := d.showing(cs)
		d.rs, d.errS = side.run()
		if r, ok := d.errS.(refusal); ok {
			side.send(typeReject, reject{reason: r.reason}.encode())
		}
	})
	group.Go(func() {
		defer ce.Close()
		d.re, d.errE = d.entering(ce).run()
	})
	group.Wait()
	return d
}

// device is a whole device but for the relation between devices, for which a
// table of pair ids stands: pairs[peer] is what this device's statement about
// the peer would name.
type device struct {
	*Service
	t    *testing.T
	id   *identity.Identity
	db   *store.DB
	net  *memnet.Device
	path string
	stop func()
	logs bytes.Buffer // of all levels, to be read once it has stopped

	mu        sync.Mutex
	blocked   map[contact.ODID]bool
	places    map[contact.ODID]string                                   // where devices connect from
	lose      frameType                                                 // of what this device sends in sessions at its code
	confirm   func(context.Context, contact.ODID, contact.PairID) error // nil: ask the peer
	committed []Result
	handled   int
}

var pairs = store.NewTable[pairRecord]("test/pairs", 1)

type pairRecord struct {
	ID contact.PairID `cbor:"1,keyasint"`
}

// statements stands for relation's protocol: pair ids both ways.
const statements transport.Protocol = "/test/statements/1"

func newDevice(t *testing.T, n *memnet.Network, seed byte) *device {
	return startDevice(t, n, seed, filepath.Join(t.TempDir(), "store.db"))
}

func startDevice(t *testing.T, n *memnet.Network, seed byte, path string) *device {
	t.Helper()
	d := &device{t: t, id: newIdentity(t, seed), path: path, blocked: make(map[contact.ODID]bool), places: make(map[contact.ODID]string)}
	var err error
	d.db, err = store.Open(path, store.Options{NoSync: true}, append(Tables(), pairs)...)
	if err != nil {
		t.Fatal(err)
	}
	d.net = n.Device(d.id.Self())
	d.Service, err = New(Config{
		Log:           slog.New(slog.NewTextHandler(&d.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		DB:            d.db,
		Identity:      d.id,
		Network:       d.net,
		Addresses:     d.net,
		Neighbourhood: d.net,
		Name:          func() string { return string(rune('A' + seed)) },
		Blocked: func(_ *store.Tx, peer contact.ODID) (bool, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.blocked[peer], nil
		},
		Commit: func(tx *store.Tx, r Result) error {
			tx.OnCommit(func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.committed = append(d.committed, r)
			})
			return pairs.Put(tx, r.Peer[:], pairRecord{r.PairID})
		},
		Confirm: func(ctx context.Context, peer contact.ODID, id contact.PairID) error {
			if d.confirm != nil {
				return d.confirm(ctx, peer, id)
			}
			return d.state(ctx, peer)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.net.Serve(Protocol, func(ctx context.Context, st transport.Stream) {
		d.mu.Lock()
		d.handled++
		dec := contact.Allow(contact.Party{Marks: contact.Marks{Blocked: d.blocked[st.Peer()]}, WindowOpen: d.WindowOpen()}, contact.ServicePairing)
		place := d.places[st.Peer()]
		d.mu.Unlock()
		if dec == contact.Drop {
			st.Reset()
			return
		}
		st = located{st, place}
		if d.lose != 0 {
			st = &lossy{Stream: st, lose: d.lose}
		}
		d.Handle(ctx, st, dec)
	})
	d.net.Serve(statements, d.answer)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { d.net.Run(ctx) })
	group.Go(func() { d.Run(ctx) })
	d.stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		d.db.Close()
	})
	t.Cleanup(d.stop)
	synctest.Wait()
	return d
}

// restart ends this life of the device and begins the next on the same store.
func (d *device) restart(n *memnet.Network, seed byte) *device {
	d.stop()
	return startDevice(d.t, n, seed, d.path)
}

// names returns the pairing that this device's statement about peer names.
func (d *device) names(peer contact.ODID) (id contact.PairID) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) error {
		r, _, err := pairs.Get(tx, peer[:])
		id = r.ID
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

// state shows the peer what this device's statement names; nil if it is the
// same pairing on both sides.
func (d *device) state(ctx context.Context, peer contact.ODID) error {
	st, err := d.net.Open(ctx, peer, statements)
	if err != nil {
		return err
	}
	defer st.Close()
	st.SetDeadline(time.Now().Add(5 * time.Second))
	mine := d.names(peer)
	if _, err := st.Write(mine[:]); err != nil {
		return err
	}
	var theirs contact.PairID
	if _, err := io.ReadFull(st, theirs[:]); err != nil {
		return err
	}
	if theirs != mine {
		return io.ErrNoProgress
	}
	return nil
}

func (d *device) answer(_ context.Context, st transport.Stream) {
	defer st.Close()
	st.SetDeadline(time.Now().Add(5 * time.Second))
	var theirs contact.PairID
	if _, err := io.ReadFull(st, theirs[:]); err != nil {
		return
	}
	err := d.db.Update(func(tx *store.Tx) error {
		_, err := d.CommitStaged(tx, st.Peer(), theirs)
		return err
	})
	if err != nil {
		d.t.Error(err)
	}
	mine := d.names(st.Peer())
	st.Write(mine[:])
}

// watcher is somebody who looks at the codes of a device.
type watcher struct {
	seen  chan Shown
	leave func()
	ended chan struct{}
	how   Ended
	err   error
}

func (d *device) watchCodes(opt ShowOptions) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{seen: make(chan Shown, 1000), leave: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.how, w.err = d.Show(ctx, opt, func(s Shown) { w.seen <- s })
	}()
	d.t.Cleanup(func() { cancel(); <-w.ended })
	synctest.Wait()
	return w
}

// code returns the newest code that the watcher has seen.
func (w *watcher) code(t *testing.T) Shown {
	t.Helper()
	var last Shown
	for {
		select {
		case last = <-w.seen:
			continue
		default:
		}
		if last == (Shown{}) {
			t.Fatal("no new code was shown")
		}
		return last
	}
}

func (w *watcher) isOver() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// wrongOf returns six digits that are none of the given ones.
func wrongOf(codes ...string) string {
	for _, c := range []string{"111111", "222222", "333333", "444444"} {
		ok := true
		for _, o := range codes {
			ok = ok && o != c
		}
		if ok {
			return c
		}
	}
	panic("too many codes")
}

// dayRounds returns how many rounds of 6 digits the day has seen.
func (d *device) dayRounds() int { d.t.Helper(); return len(d.guesses().Times) }

// longRounds is dayRounds of 9 digits.
func (d *device) longRounds() int { d.t.Helper(); return len(d.guesses().Long) }

func (d *device) guesses() (r guessRecord) {
	d.t.Helper()
	err := d.db.View(func(tx *store.Tx) (err error) {
		r, _, err = guesses.Get(tx, []byte(guessesKey))
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func sha256Of(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// spend takes the rounds that were saved up.
func (p *pacer) spend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens, p.filled = 0, time.Now()
}

func first[T any](v T, _ error) T { return v }
