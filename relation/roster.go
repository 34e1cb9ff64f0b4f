package relation

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
)

// The roster is what listing needs of each contact, in memory, so that a page of
// 100,000 takes milliseconds whatever it is filtered and sorted by. It is built by
// the first list, in parts, and let go of when nobody has listed for some minutes.
// A commit only marks the contacts that it changed; the next list reads those anew.
// It costs about 200 bytes a contact and 16 for each of its custom fields; with what
// building it leaves to the collector the daemon grows by half a kilobyte.

const (
	rosterIdle = 5 * time.Minute // without a list, until it is let go of
	rosterPart = 1000            // rows that one transaction reads
	maxMarks   = 20_000          // above that it is built anew
)

type roster struct {
	marks marks

	mu    sync.Mutex
	lines *lines // nil if there is none
	used  time.Time
	drop  *time.Timer // made with the first lines
}

// marks are the devices that were changed since the roster read them. They have a
// lock of their own, so that no commit waits for a list.
type marks struct {
	mu    sync.Mutex
	on    bool
	many  bool // too many to be told
	peers map[contact.ODID]struct{}
}

// put is called after each commit that changed something of peer.
func (m *marks) put(peer contact.ODID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.on || m.many:
	case len(m.peers) == maxMarks:
		m.many, m.peers = true, nil
	default:
		if m.peers == nil {
			m.peers = make(map[contact.ODID]struct{})
		}
		m.peers[peer] = struct{}{}
	}
}

// take returns the marked devices, and begins anew; all is true if any may be.
func (m *marks) take() (peers map[contact.ODID]struct{}, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	peers, all = m.peers, m.many || !m.on
	m.on, m.many, m.peers = true, false, nil
	return peers, all
}

func (m *marks) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on, m.many, m.peers = false, false, nil
}

// withLines calls f with the roster as of now.
func (s *Service) withLines(f func(*lines) error) error {
	r := &s.roster
	err := r.with(s.cfg.DB, f)
	r.drop.Reset(rosterIdle)
	return err
}

func (r *roster) with(db *store.DB, f func(*lines) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	peers, all := r.marks.take()
	if r.lines == nil || all {
		fresh, err := readLines(db)
		if err != nil {
			r.marks.stop() // what was marked is lost
			r.lines = nil
			return err
		}
		r.lines, peers = fresh, nil
	}
	if err := r.lines.refresh(db, peers); err != nil {
		r.marks.stop()
		r.lines = nil
		return err
	}
	r.used = time.Now()
	return f(r.lines)
}

// forget lets go of a roster that was not used for long.
func (r *roster) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.used) >= rosterIdle {
		r.lines = nil
		r.marks.stop()
	}
}

// lines are the rows of a roster, and the orders in which they are listed.
type lines struct {
	rows    []rosterLine
	free    []uint32 // places in rows of nobody
	byPeer  []uint32 // places in rows
	byTitle []uint32
	byAdded []uint32
	known   grouping                   // as of the last refresh
	groups  [contact.MaxGroups]groupID // by their bit; 0 for one that is free
	seed    maphash.Seed
	words   map[string]string // each keyword of an application once
	sighted bool              // seen holds what was written down before the start
}

// rosterLine is a contact, or what is left of one.
type rosterLine struct {
	peer   contact.ODID
	title  string   // what it is sorted by, part of text if it has a remark or name
	text   string   // remark, a zero byte and name, which are searched
	app    string   // keyword
	added  int64    // Unix milliseconds
	seen   int64    // Unix milliseconds when it was last heard before the start
	fields []uint64 // of each custom field the hash of its key, and of key and value
	groups uint32   // a bit for each
	given  contact.Permissions
	status contact.Status
	trust  contact.Trust
	source uint8 // place in Sources, from 1 on; 0 for none
	listed bool
}

// folded makes the same of two texts that fold does, in small letters, by which
// people sort.
func folded(text string) string { return strings.ToLower(fold(text)) }

// readLines reads all devices, some at a time: what is changed between is marked.
func readLines(db *store.DB) (*lines, error) {
	l := &lines{seed: maphash.MakeSeed(), words: make(map[string]string)}
	from := []byte{0}
	for from != nil {
		err := db.View(func(tx *store.Tx) error {
			g, err := loadGroups(tx)
			if err != nil {
				return err
			}
			l.regroup(g)
			from, err = l.read(tx, from)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	l.byPeer = slices.Clip(l.byPeer)
	l.byTitle, l.byAdded = slices.Clone(l.byPeer), slices.Clone(l.byPeer)
	slices.SortFunc(l.byTitle, l.compareTitle)
	slices.SortFunc(l.byAdded, l.compareAdded)
	return l, nil
}

// read appends devices in the order of their ODIDs, and returns where to go on.
func (l *lines) read(tx *store.Tx, from []byte) (next []byte, err error) {
	rows := 0
	for row, err := range devices.Scan(tx, store.Range{From: from}) {
		if err != nil {
			return nil, err
		}
		if rows++; rows > rosterPart {
			return row.Key, nil
		}
		e, err := takeApart(contact.ODID(row.Key), row.Value, true)
		if err != nil {
			return nil, err
		}
		n, ok, err := l.lineOf(tx, &e)
		if err != nil {
			return nil, err
		}
		if ok {
			l.byPeer = append(l.byPeer, uint32(len(l.rows)))
			l.rows = append(l.rows, n)
		}
	}
	return nil, nil
}

// lineOf returns the line of a device; ok is false for one that no list has.
func (l *lines) lineOf(tx *store.Tx, e *entry) (n rosterLine, ok bool, err error) {
	if !e.listed() && !e.row.Marks.Removed && !e.blocked() {
		return rosterLine{}, false, nil
	}
	d, _, err := e.details(tx)
	if err != nil {
		return rosterLine{}, false, err
	}
	v := e.view()
	n = rosterLine{
		peer: e.peer, added: d.AddedAt, status: v.Status, trust: v.Trust, given: v.Given, listed: e.listed(),
		source: uint8(slices.Index(Sources(), d.Source) + 1), app: l.word(d.App), groups: l.bits(d.Groups),
	}
	remark, name := folded(d.Remark), folded(d.Name)
	n.text = remark + "\x00" + name
	n.title = cmp.Or(n.text[:len(remark)], n.text[len(remark)+1:])
	if n.title == "" {
		n.title = e.peer.Short()
	}
	for key, v := range d.Fields {
		n.fields = append(n.fields, l.fieldHash(key), l.valueHash(key, v.String()))
	}
	return n, true, nil
}

func (l *lines) word(app string) string {
	app = folded(app)
	if known, ok := l.words[app]; ok {
		return known
	}
	l.words[app] = app
	return app
}

// fieldHash stands for a field; the hash has a secret key, so nobody can make two alike.
func (l *lines) fieldHash(key string) uint64 { return maphash.String(l.seed, folded(key)) }

// valueHash stands for a field and its value.
func (l *lines) valueHash(key, value string) uint64 {
	return maphash.String(l.seed, folded(key)+"="+folded(value))
}

// bits returns the bits of groups.
func (l *lines) bits(ids []groupID) (set uint32) {
	for i, id := range l.groups {
		if id != 0 && slices.Contains(ids, id) {
			set |= 1 << i
		}
	}
	return set
}

// regroup gives each group a bit, and takes those of groups that are gone.
func (l *lines) regroup(g grouping) {
	l.known = g
	has := func(id groupID) bool { return slices.ContainsFunc(g.Groups, func(o group) bool { return o.ID == id }) }
	for i, id := range l.groups {
		if id != 0 && !has(id) {
			l.groups[i] = 0
			for k := range l.rows {
				l.rows[k].groups &^= 1 << i
			}
		}
	}
	for _, o := range g.Groups {
		if !slices.Contains(l.groups[:], o.ID) {
			if free := slices.Index(l.groups[:], 0); free >= 0 {
				l.groups[free] = o.ID
			}
		}
	}
}

// refresh reads anew what was changed.
func (l *lines) refresh(db *store.DB, peers map[contact.ODID]struct{}) error {
	return db.View(func(tx *store.Tx) error {
		g, err := loadGroups(tx)
		if err != nil {
			return err
		}
		l.regroup(g)
		for peer := range peers {
			e, err := load(tx, peer)
			if err != nil {
				return err
			}
			n, ok, err := l.lineOf(tx, &e)
			if err != nil {
				return err
			}
			l.put(peer, n, ok)
		}
		return nil
	})
}

// put writes the line of a device in its place, or takes it out if it has none.
func (l *lines) put(peer contact.ODID, n rosterLine, ok bool) {
	at, found := l.find(peer)
	if found {
		place := l.byPeer[at]
		if n.listed {
			n.seen = l.rows[place].seen // else it is forgotten
		}
		l.byTitle = l.cut(l.byTitle, place, l.compareTitle)
		l.byAdded = l.cut(l.byAdded, place, l.compareAdded)
		if !ok {
			l.byPeer = slices.Delete(l.byPeer, at, at+1)
			l.rows[place] = rosterLine{}
			l.free = append(l.free, place)
			return
		}
		l.rows[place] = n
		l.enter(place)
		return
	}
	if !ok {
		return
	}
	place := uint32(len(l.rows))
	if k := len(l.free); k > 0 {
		place, l.free = l.free[k-1], l.free[:k-1]
		l.rows[place] = n
	} else {
		l.rows = append(l.rows, n)
	}
	l.byPeer = slices.Insert(l.byPeer, at, place)
	l.enter(place)
}

// enter puts a place into the orders of title and time.
func (l *lines) enter(place uint32) {
	for _, o := range []struct {
		list    *[]uint32
		compare func(a, b uint32) int
	}{{&l.byTitle, l.compareTitle}, {&l.byAdded, l.compareAdded}} {
		at, _ := slices.BinarySearchFunc(*o.list, place, o.compare)
		*o.list = slices.Insert(*o.list, at, place)
	}
}

// cut takes a place out of an order, in which it stands by what its row says now.
func (l *lines) cut(list []uint32, place uint32, compare func(a, b uint32) int) []uint32 {
	if at, found := slices.BinarySearchFunc(list, place, compare); found {
		return slices.Delete(list, at, at+1)
	}
	return list
}

// find returns where peer stands, or would stand, in byPeer.
func (l *lines) find(peer contact.ODID) (at int, found bool) {
	return slices.BinarySearchFunc(l.byPeer, peer, func(place uint32, peer contact.ODID) int {
		return slices.Compare(l.rows[place].peer[:], peer[:])
	})
}

func (l *lines) compareTitle(a, b uint32) int {
	x, y := &l.rows[a], &l.rows[b]
	if by := strings.Compare(x.title, y.title); by != 0 {
		return by
	}
	return slices.Compare(x.peer[:], y.peer[:])
}

func (l *lines) compareAdded(a, b uint32) int {
	if by := cmp.Compare(l.rows[a].added, l.rows[b].added); by != 0 {
		return by
	}
	return l.compareTitle(a, b)
}
