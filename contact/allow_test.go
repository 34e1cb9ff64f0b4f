package contact

import (
	"strings"
	"testing"
)

// allowTable is Allow in words: who, then what a stream of each service gets. The
// first row that fits counts.
const allowTable = `
	who                       pairing  relation  presence  messages  gossip
	blocked, unacked          drop     serve     drop      drop      drop
	blocked                   drop     stranger  drop      drop      drop
	listed with both          window   serve     serve     serve     serve
	listed with messages      window   serve     serve     serve     drop
	listed with status        window   serve     serve     refuse    serve
	listed                    window   serve     serve     refuse    drop
	staged                    window   serve     drop      drop      drop
	unacked                   window   serve     drop      drop      drop
	anybody                   window   stranger  drop      drop      drop
`

func TestAllowIsTheTable(t *testing.T) {
	table := make(map[string][]string)
	var order []string
	for line := range strings.Lines(allowTable) {
		f := strings.Fields(line)
		if len(f) < 6 || f[0] == "who" {
			continue
		}
		who := strings.Join(f[:len(f)-5], " ")
		table[who] = f[len(f)-5:]
		order = append(order, who)
	}
	decisions := map[string]Decision{"drop": Drop, "refuse": Refuse, "stranger": ServeStranger, "serve": Serve}
	used := make(map[string]bool)
	for _, p := range parties() {
		fits := map[string]bool{
			"blocked, unacked":     isBlocked(p) && isUnacked(p),
			"blocked":              isBlocked(p),
			"listed with both":     p.Mine != nil && p.Mine.Listed && p.Mine.Grants.Has(Messages|Presence),
			"listed with messages": p.Mine != nil && p.Mine.Listed && p.Mine.Grants&Messages != 0,
			"listed with status":   p.Mine != nil && p.Mine.Listed && p.Mine.Grants&Presence != 0,
			"listed":               p.Mine != nil && p.Mine.Listed,
			"staged":               p.Staged,
			"unacked":              isUnacked(p),
			"anybody":              true,
		}
		for _, who := range order {
			if !fits[who] {
				continue
			}
			used[who] = true
			for _, s := range services() {
				word := table[who][s]
				want := decisions[word]
				if word == "window" {
					want = Drop
					if p.WindowOpen {
						want = Serve
					}
				}
				if got := Allow(p, s); got != want {
					t.Fatalf("%s (%+v), service %d: %d, want %s", who, p, s, got, word)
				}
			}
			break
		}
	}
	for _, who := range order {
		if !used[who] {
			t.Errorf("no case is %q", who)
		}
	}
}

// services are all that Allow knows.
func services() []Service {
	return []Service{ServicePairing, ServiceRelation, ServicePresence, ServiceMessages, ServiceGossip}
}

func isBlocked(p Party) bool { return p.Marks.Blocked || p.Marks.Reported }
func isUnacked(p Party) bool { return p.Mine != nil && p.Marks.AckedSeq < p.Mine.Seq }

// parties enumerates all there can be.
func parties() []Party {
	var all []Party
	for bits := range 1 << 5 {
		for acked := range uint64(3) {
			base := Party{
				Marks: Marks{
					Blocked: bits&1 != 0, Reported: bits&2 != 0, Removed: bits&4 != 0, AckedSeq: acked,
				},
				Staged: bits&8 != 0, WindowOpen: bits&16 != 0,
			}
			all = append(all, base)
			unlisted := base
			unlisted.Mine = &Statement{Seq: 2}
			all = append(all, unlisted)
			for grants := range AllPermissions + 1 {
				listed := base
				listed.Mine = &Statement{Seq: 2, Listed: true, Grants: grants}
				all = append(all, listed)
			}
		}
	}
	return all
}

// TestBlockedRemovedAndStrangerAreAlike: nothing but a pairing window tells a
// blocked device from one that was removed, or from a stranger once it has
// confirmed the last statement.
func TestBlockedRemovedAndStrangerAreAlike(t *testing.T) {
	final := &Statement{Seq: 2}
	for _, s := range services() {
		for _, window := range []bool{false, true} {
			stranger := Party{WindowOpen: window}
			blockedStranger := Party{Marks: Marks{Blocked: true}, WindowOpen: window}
			for _, acked := range []uint64{1, 2} {
				removed := Party{Mine: final, Marks: Marks{Removed: true, AckedSeq: acked}, WindowOpen: window}
				blocked := Party{Mine: final, Marks: Marks{Blocked: true, AckedSeq: acked}, WindowOpen: window}
				reported := Party{Mine: final, Marks: Marks{Blocked: true, Reported: true, Removed: true, AckedSeq: acked}, WindowOpen: window}
				if s == ServicePairing {
					if Allow(blocked, s) != Drop || Allow(reported, s) != Drop || Allow(blockedStranger, s) != Drop {
						t.Error("a blocked device reaches a pairing window")
					}
					if Allow(removed, s) != Allow(stranger, s) {
						t.Error("a removed device may not pair as anybody")
					}
					continue
				}
				if Allow(blocked, s) != Allow(removed, s) || Allow(reported, s) != Allow(removed, s) {
					t.Errorf("service %d, acked %d: blocked %d, reported %d, removed %d", s, acked, Allow(blocked, s), Allow(reported, s), Allow(removed, s))
				}
				if acked == final.Seq && Allow(removed, s) != Allow(stranger, s) {
					t.Errorf("service %d: a removed device that confirmed gets %d, a stranger %d", s, Allow(removed, s), Allow(stranger, s))
				}
			}
			if s != ServicePairing && Allow(blockedStranger, s) != Allow(stranger, s) {
				t.Errorf("service %d: a blocked stranger gets %d, another %d", s, Allow(blockedStranger, s), Allow(stranger, s))
			}
		}
	}
}

// TestMoreRightsNeverGiveLess: listing, granting and opening a window only add.
func TestMoreRightsNeverGiveLess(t *testing.T) {
	for _, p := range parties() {
		for _, s := range services() {
			before := Allow(p, s)
			more := p
			more.WindowOpen = true
			if Allow(more, s) < before {
				t.Fatalf("%+v, service %d: less with a window", p, s)
			}
			if p.Mine == nil {
				continue
			}
			granted := *p.Mine
			granted.Listed, granted.Grants = true, AllPermissions
			more.Mine = &granted
			if Allow(more, s) < before {
				t.Fatalf("%+v, service %d: less when listed with all", p, s)
			}
			blocked := p
			blocked.Marks.Blocked = true
			if Allow(blocked, s) > before {
				t.Fatalf("%+v, service %d: more when blocked", p, s)
			}
		}
	}
}

func TestUnknownServiceIsDropped(t *testing.T) {
	for _, p := range parties() {
		if Allow(p, ServiceGossip+1) != Drop || Allow(p, 255) != Drop {
			t.Fatalf("%+v reaches a service that is none", p)
		}
	}
}
