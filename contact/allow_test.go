package contact

import (
	"slices"
	"strings"
	"testing"
)

// allowTable is Allow in words: who, then what a stream of each service gets. The
// first row that fits counts. "window" is to serve while one is open, "policy" what
// checkTable and profileTable say, "grant" to serve who is given the card, "paired" to
// serve who is paired.
const allowTable = `
	who                       pairing  relation  presence  messages  gossip  check   files  profile  card   reports
	blocked, unacked          drop     serve     drop      drop      drop    policy  drop   policy   drop   drop
	blocked                   drop     stranger  drop      drop      drop    policy  drop   policy   drop   drop
	listed with both          window   serve     serve     serve     serve   policy  serve  policy   grant  paired
	listed with messages      window   serve     serve     serve     drop    policy  serve  policy   grant  paired
	listed with status        window   serve     serve     refuse    serve   policy  serve  policy   grant  paired
	listed                    window   serve     serve     refuse    drop    policy  serve  policy   grant  paired
	staged                    window   serve     drop      drop      drop    policy  drop   policy   drop   drop
	unacked                   window   serve     drop      drop      drop    policy  drop   policy   drop   drop
	anybody                   window   stranger  drop      drop      drop    policy  drop   policy   drop   drop
`

// checkTable says who may ask what by the setting "checks".
const checkTable = `
	who                 nobody  contacts  anyone
	blocked, disclosed  drop    stranger  stranger
	blocked             drop    drop      stranger
	listed              drop    serve     serve
	anybody             drop    drop      stranger
`

// profileTable says who may read the profile by the setting "profile".
const profileTable = `
	who      nobody  contacts  anyone
	blocked  drop    drop      drop
	listed   refuse  serve     serve
	removed  drop    drop      drop
	anybody  drop    drop      stranger
`

// tableOf returns the cells of a table by the words that come before them, and
// these in their order.
func tableOf(text string, columns int) (cells map[string][]string, order []string) {
	cells = make(map[string][]string)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) <= columns || f[0] == "who" {
			continue
		}
		who := strings.Join(f[:len(f)-columns], " ")
		cells[who] = f[len(f)-columns:]
		order = append(order, who)
	}
	return cells, order
}

// policyWord is what checkTable or profileTable says of p.
func policyWord(p Party, s Service) string {
	text, audience := checkTable, p.Policy.Checks
	if s == ServiceProfile {
		text, audience = profileTable, p.Policy.Profile
	}
	cells, order := tableOf(text, 3)
	fits := map[string]bool{
		"blocked, disclosed": isBlocked(p) && p.Policy.DiscloseBlocks,
		"blocked":            isBlocked(p),
		"listed":             p.Mine != nil && p.Mine.Listed,
		"removed":            p.Marks.Removed,
		"anybody":            true,
	}
	for _, who := range order {
		if fits[who] {
			return cells[who][slices.Index(audiences(), audience)]
		}
	}
	return ""
}

func TestAllowIsTheTable(t *testing.T) {
	table, order := tableOf(allowTable, Services)
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
				if word == "policy" {
					word = policyWord(p, s)
				}
				want := decisions[word]
				if word == "grant" && p.Mine.Card != nil || word == "window" && p.WindowOpen || word == "paired" && p.Trust >= Paired {
					want = Serve
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
	all := make([]Service, Services)
	for i := range all {
		all[i] = Service(i)
	}
	return all
}

func isBlocked(p Party) bool { return p.Marks.Blocked || p.Marks.Reported }
func isUnacked(p Party) bool { return p.Mine != nil && p.Marks.AckedSeq < p.Mine.Seq }

// audiences are in the order of the columns of checkTable and profileTable.
func audiences() []Audience { return []Audience{Nobody, ContactsOnly, Anyone} }

// parties enumerates all there can be, but for policies that have nothing to do
// with each other.
func parties() []Party {
	var all []Party
	for _, audience := range audiences() {
		for _, disclose := range []bool{false, true} {
			all = append(all, partiesOf(Policy{Checks: audience, DiscloseBlocks: disclose, Profile: audience})...)
		}
	}
	return all
}

func partiesOf(policy Policy) []Party {
	var all []Party
	for bits := range 1 << 5 {
		for acked := range uint64(3) {
			base := Party{
				Marks: Marks{
					Blocked: bits&1 != 0, Reported: bits&2 != 0, Removed: bits&4 != 0, AckedSeq: acked,
				},
				Staged: bits&8 != 0, WindowOpen: bits&16 != 0, Policy: policy,
			}
			all = append(all, base)
			unlisted := base
			unlisted.Mine = &Statement{Seq: 2}
			all = append(all, unlisted)
			for grants := range AllPermissions + 1 {
				listed := base
				listed.Mine = &Statement{Seq: 2, Listed: true, Grants: grants}
				given := base
				given.Mine = &Statement{Seq: 2, Listed: true, Grants: grants, Card: &CardGrant{Rev: 1, Lease: 1}}
				paired := listed
				paired.Trust = Paired
				all = append(all, listed, given, paired)
			}
		}
	}
	return all
}

// TestBlockedRemovedAndStrangerAreAlike: nothing but a pairing window tells a
// blocked device from one that was removed, or from a stranger once it has
// confirmed the last statement. A profile that is for anyone is for strangers, and
// not for those two.
func TestBlockedRemovedAndStrangerAreAlike(t *testing.T) {
	final := &Statement{Seq: 2}
	for _, audience := range audiences() {
		for _, s := range services() {
			for _, window := range []bool{false, true} {
				stranger := Party{WindowOpen: window, Policy: Policy{Checks: audience, Profile: audience}}
				as := Allow(stranger, s)
				if s == ServiceProfile {
					as = Drop
				}
				with := func(mine *Statement, m Marks) Party {
					p := stranger
					p.Mine, p.Marks = mine, m
					return p
				}
				blockedStranger := with(nil, Marks{Blocked: true})
				for _, acked := range []uint64{1, 2} {
					removed := with(final, Marks{Removed: true, AckedSeq: acked})
					blocked := with(final, Marks{Blocked: true, AckedSeq: acked})
					reported := with(final, Marks{Blocked: true, Reported: true, Removed: true, AckedSeq: acked})
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
						t.Errorf("%v, acked %d: blocked %v, reported %v, removed %v", s, acked, Allow(blocked, s), Allow(reported, s), Allow(removed, s))
					}
					if acked == final.Seq && Allow(removed, s) != as {
						t.Errorf("%v: a removed device that confirmed gets %v, want %v", s, Allow(removed, s), as)
					}
				}
				if s != ServicePairing && Allow(blockedStranger, s) != as {
					t.Errorf("%v: a blocked stranger gets %v, want %v", s, Allow(blockedStranger, s), as)
				}
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
			if s == ServiceCheck && p.Policy.DiscloseBlocks {
				continue // it is told what others don't have to be
			}
			if Allow(blocked, s) > before {
				t.Fatalf("%+v, service %d: more when blocked", p, s)
			}
		}
	}
}

func TestUnknownServiceIsDropped(t *testing.T) {
	for _, p := range parties() {
		if Allow(p, Service(Services)) != Drop || Allow(p, 255) != Drop {
			t.Fatalf("%+v reaches a service that is none", p)
		}
	}
}
