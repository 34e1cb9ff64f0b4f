package relation

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport"
)

// Protocol is the exchange of statements.
const Protocol transport.Protocol = "/contacts/relation/1"

// Errors of the service's calls.
var (
	ErrSelf     = errors.New("that is this device itself")
	ErrBlocked  = errors.New("this device is blocked here: unblock it first")
	ErrNotFound = errors.New("no such contact")
	ErrRemoved  = errors.New("this contact was removed here: add it by its ODID to have it back")
	ErrRequest  = errors.New("no such request")
	ErrLater    = errors.New("it has no room for more requests now")
	ErrHasCard  = errors.New("it shares its contact card already")
	ErrNoGrant  = errors.New("your contact card is not shared with this contact")
	ErrLocked   = errors.New("asks of this device are locked")
)

// Config is what a Service works with. Its functions may be nil.
type Config struct {
	DB        *store.DB
	Identity  *identity.Identity
	Network   transport.Network
	Addresses transport.Addresses
	Log       *slog.Logger
	// Work is what stamps are made of, stamp.Argon2 if nil.
	Work stamp.Work

	// Policy returns what the user decided, contact.DefaultPolicy if nil.
	Policy func() contact.Policy
	// Name returns what this device is called, at most contact.MaxNameSize bytes.
	Name func() string
	// Profile returns the revision of this device's profile, 0 if contacts are not to
	// fetch one. Noticed is told the revision that a peer shows, after what else it
	// said was taken. It must not block.
	Profile func() uint64
	Noticed func(peer contact.ODID, rev uint64)

	// Charge pays for an act towards peer, in its transaction, or returns a
	// *contact.CreditError having written nothing. Nil: all is free.
	Charge func(tx *store.Tx, a contact.Act, peer contact.ODID) error

	// Staged reports whether a pairing with the peer waits for its last step.
	Staged func(tx *store.Tx, peer contact.ODID) (bool, error)
	// CommitStaged ends a staged pairing that the peer's statement names, by
	// calling CommitPairing in tx. It returns false if none is staged by that id.
	CommitStaged func(tx *store.Tx, peer contact.ODID, id contact.PairID) (bool, error)
	// DropStaged forgets the pairings staged until then with a peer that is
	// removed: one that it held back would bring it back to the list.
	DropStaged func(tx *store.Tx, peer contact.ODID, until time.Time) error
	// CardRev returns the revision of this device's contact card, 0 if none was ever
	// set. DropCard deletes what is held of peer's card, if anything is: it may not be
	// held any more.
	CardRev  func(tx *store.Tx) (uint64, error)
	DropCard func(tx *store.Tx, peer contact.ODID) error
	// Changed is called after every durable change of a relation. It must not block.
	Changed func(peer contact.ODID)

	// Spam keeps reports; nil if there are none.
	Spam Spam

	// Budget is how many connections with contacts are kept, 64 if 0. Disconnect
	// ends one of the others, nil if the network keeps all; Leaving is called before
	// and may take some seconds. Owes reports whether there is something to say to
	// peer for which a connection is worth making that goes beyond the budget.
	Budget     int
	Disconnect func(peer contact.ODID)
	Leaving    func(peer contact.ODID)
	Owes       func(tx *store.Tx, peer contact.ODID) (bool, error)
}

// Service is the relation feature of one device.
type Service struct {
	cfg    Config
	self   contact.ODID
	log    *slog.Logger
	inbox  *inbox
	keeper *keeper
	desk   *desk
	minter *minter
	roster roster

	usedMu sync.Mutex
	used   map[contact.ODID]time.Time
}

// New returns a service; Run starts it.
func New(cfg Config) (*Service, error) {
	if cfg.DB == nil || cfg.Identity == nil || cfg.Network == nil || cfg.Addresses == nil {
		return nil, errors.New("relation: DB, Identity, Network and Addresses are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Work == nil {
		cfg.Work = stamp.Argon2{}
	}
	if cfg.Policy == nil {
		cfg.Policy = contact.DefaultPolicy
	}
	if cfg.Name == nil {
		cfg.Name = func() string { return "" }
	}
	if cfg.Profile == nil {
		cfg.Profile = func() uint64 { return 0 }
	}
	if cfg.Noticed == nil {
		cfg.Noticed = func(contact.ODID, uint64) {}
	}
	if cfg.Charge == nil {
		cfg.Charge = func(*store.Tx, contact.Act, contact.ODID) error { return nil }
	}
	if cfg.Staged == nil {
		cfg.Staged = func(*store.Tx, contact.ODID) (bool, error) { return false, nil }
	}
	if cfg.CommitStaged == nil {
		cfg.CommitStaged = func(*store.Tx, contact.ODID, contact.PairID) (bool, error) { return false, nil }
	}
	if cfg.DropStaged == nil {
		cfg.DropStaged = func(*store.Tx, contact.ODID, time.Time) error { return nil }
	}
	if cfg.CardRev == nil {
		cfg.CardRev = func(*store.Tx) (uint64, error) { return 0, nil }
	}
	if cfg.DropCard == nil {
		cfg.DropCard = func(*store.Tx, contact.ODID) error { return nil }
	}
	if cfg.Changed == nil {
		cfg.Changed = func(contact.ODID) {}
	}
	if cfg.Spam == nil {
		cfg.Spam = noSpam{}
	}
	if cfg.Budget == 0 {
		cfg.Budget = budget
	}
	if cfg.Leaving == nil {
		cfg.Leaving = func(contact.ODID) {}
	}
	if cfg.Owes == nil {
		cfg.Owes = func(*store.Tx, contact.ODID) (bool, error) { return false, nil }
	}
	s := &Service{cfg: cfg, self: cfg.Identity.Self(), log: cfg.Log, inbox: newInbox(), used: make(map[contact.ODID]time.Time)}
	s.keeper, s.desk = newKeeper(s), newDesk(cfg.Work)
	s.minter = newMinter(s.self, cfg.Work, func(peer contact.ODID) { s.inbox.put(notice{peer, said}) })
	s.roster.drop = time.AfterFunc(rosterIdle, s.roster.forget)
	s.roster.drop.Stop() // until there is one
	if err := s.index(); err != nil {
		return nil, fmt.Errorf("relation: %w", err)
	}
	return s, nil
}

// View returns what is derived of the relation to peer; known is false for a
// device about which nothing was ever said.
func (s *Service) View(tx *store.Tx, peer contact.ODID) (v contact.View, known bool, err error) {
	seen := viewsOf(tx)
	if d, ok := seen[peer]; ok {
		return d.view, d.known, nil
	}
	e, err := load(tx, peer)
	if err != nil {
		return contact.View{}, false, err
	}
	seen[peer] = derived{e.view(), e.known}
	return e.view(), e.known, nil
}

// Party returns what the gate must know of a peer. Whether a window is open is
// not this package's to say.
func (s *Service) Party(tx *store.Tx, peer contact.ODID) (contact.Party, error) {
	e, err := load(tx, peer)
	if err != nil {
		return contact.Party{}, err
	}
	staged, err := s.cfg.Staged(tx, peer)
	return contact.Party{Mine: e.mine, Marks: e.row.Marks, Trust: e.view().Trust, Staged: staged}, err
}

// Sides returns what this device and peer say of each other.
func (s *Service) Sides(tx *store.Tx, peer contact.ODID) (contact.Sides, error) {
	e, err := load(tx, peer)
	return contact.Sides{Mine: e.mine, Theirs: e.theirs, Marks: e.row.Marks}, err
}

// Blocked reports whether peer is blocked.
func (s *Service) Blocked(tx *store.Tx, peer contact.ODID) (bool, error) {
	e, err := load(tx, peer)
	return e.blocked(), err
}

// MayDial reports whether this device has a reason of its own to connect to
// peer: it is listed, a pairing with it is staged, or a last statement is due to it.
func (s *Service) MayDial(peer contact.ODID) bool {
	var may bool
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		e, err := load(tx, peer)
		if err != nil {
			return err
		}
		staged, err := s.cfg.Staged(tx, peer)
		may = e.listed() || staged && !e.blocked() || contact.Unacknowledged(e.mine, e.row.Marks)
		return err
	})
	return err == nil && may
}

// Where returns where a device was the last time, for the transport to ask.
func (s *Service) Where(peer contact.ODID) (addrs []transport.Address) {
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		row, _, err := places.Get(tx, peer[:])
		addrs = row.Addresses
		return err
	})
	if err != nil {
		s.log.Error("relation: where a contact was can't be read", "peer", peer.Short(), "err", err)
	}
	return addrs
}

// issue signs st as the newest statement about the entry's device.
func (s *Service) issue(e *entry, st contact.Statement) error {
	signed, err := s.cfg.Identity.SignStatement(st)
	if err != nil {
		return err
	}
	e.row.Mine, e.mine = &signed, &st
	e.row.Marks.MineSeq = st.Seq
	if st.Answer != nil {
		e.decided(st.Answer.Digest)
	}
	if st.CardAnswer != nil {
		e.decidedCard(st.CardAnswer.Digest)
	}
	return nil
}

// next begins the statement that follows the newest about the entry's device.
func (s *Service) next(e *entry) contact.Statement {
	return contact.Next(s.self, e.peer, e.mine, e.row.Marks, s.cfg.DB.Now())
}

// save writes the entry, and has lists read it anew.
func (s *Service) save(tx *store.Tx, e *entry) error {
	peer := e.peer
	tx.OnCommit(func() { s.roster.marks.put(peer) })
	return e.save(tx)
}

// settle saves the entry, journals what its change means to the user, and has
// the others told after the commit.
func (s *Service) settle(tx *store.Tx, e *entry, before contact.View) error {
	if err := s.track(tx, e); err != nil {
		return err
	}
	if err := s.save(tx, e); err != nil {
		return err
	}
	after := e.view()
	if after.Trust >= contact.Paired && before.Trust < contact.Paired {
		if err := s.Reconsider(tx, e.peer); err != nil { // reports on it count no more
			return err
		}
	}
	emit := func(t contact.EventType) error {
		return tx.Emit(contact.Event{Type: t, At: tx.Now().UnixMilli(), Contact: e.peer, State: after.Status.String(), Detail: after.Trust.String()})
	}
	if after != before {
		var err error
		switch {
		case isShut(after):
			err = emit(contact.ContactBlocked)
		case isShut(before):
			err = emit(contact.ContactUnblocked)
		case !onList(before) && !onList(after): // only its request changed, which track has said
		case after.Trust >= contact.Paired && before.Trust < contact.Paired:
			err = emit(contact.ContactPaired)
		case after.Trust < contact.Paired && before.Trust >= contact.Paired && after.Status == contact.StatusAccepted:
			err = emit(contact.ContactUnpaired)
		case after.Status == contact.StatusRemoved:
			err = emit(contact.ContactRemoved)
		case !onList(before) && onList(after): // enlist has said it
		case after.Left && !before.Left:
			err = emit(contact.ContactLeft)
		default:
			err = emit(contact.ContactChanged)
		}
		if err != nil {
			return err
		}
	}
	tx.OnCommit(func() { s.cfg.Changed(e.peer) })
	return nil
}

// isShut reports whether the other device is blocked, or reported, which implies it.
func isShut(v contact.View) bool {
	return v.Status == contact.StatusBlocked || v.Status == contact.StatusReported
}

// Renamed tells the connected contacts that this device is called something else,
// or has another profile; others learn it when they are in touch.
func (s *Service) Renamed() {
	for _, peer := range s.keeper.linked() {
		s.inbox.put(notice{peer, said})
	}
}

// onList reports whether this device lists the other.
func onList(v contact.View) bool {
	return v.Status == contact.StatusAccepted || v.Status == contact.StatusPending && !v.Incoming
}

// touch asks Run to exchange statements with peer soon.
func (s *Service) touch(peer contact.ODID) {
	s.Used(peer)
	s.inbox.put(notice{peer, said})
}
