package contact

import "testing"

// TestPermissionsEachWay goes through all that two contacts can grant each other,
// and asks what each may do at the other: its own view must say what the other's
// gates do. Nothing is allowed that was not granted, and no permission brings
// another.
func TestPermissionsEachWay(t *testing.T) {
	for a := range AllPermissions + 1 {
		for b := range AllPermissions + 1 {
			mine := &Statement{Author: ODID{1}, Subject: ODID{2}, Seq: 1, Listed: true, Grants: a}
			theirs := &Statement{Author: ODID{2}, Subject: ODID{1}, Seq: 1, Listed: true, Grants: b}
			here, there := Derive(mine, theirs, Marks{}), Derive(theirs, mine, Marks{})
			if here.Given != a || here.Received != b || there.Given != b || there.Received != a {
				t.Fatalf("%v and %v: %+v, %+v", a, b, here, there)
			}
			for _, way := range []struct {
				granted Permissions // by the one whose gate it is
				caller  View
				called  View
				gate    Party
			}{
				{b, here, there, Party{Mine: theirs, Marks: Marks{AckedSeq: 1}}},
				{a, there, here, Party{Mine: mine, Marks: Marks{AckedSeq: 1}}},
			} {
				calls := way.granted & (Audio | Video)
				if way.caller.Calling() != calls || way.called.Called() != calls {
					t.Errorf("granted %v: calls %v, takes %v", way.granted, way.caller.Calling(), way.called.Called())
				}
				if got := Allow(way.gate, ServiceMessages) == Serve; got != way.granted.Has(Messages) || got != way.caller.Received.Has(Messages) {
					t.Errorf("granted %v: takes messages %v", way.granted, got)
				}
				if got := Allow(way.gate, ServiceGossip) == Serve; got != way.granted.Has(Presence) || got != way.caller.Received.Has(Presence) {
					t.Errorf("granted %v: hands out keys of presence %v", way.granted, got)
				}
				if Allow(way.gate, ServicePresence) != Serve {
					t.Errorf("granted %v: hears no presence", way.granted)
				}
			}
		}
	}
}

// TestNoCallsButBetweenContacts: whatever was granted, who is not accepted by both
// calls nobody.
func TestNoCallsButBetweenContacts(t *testing.T) {
	for s := StatusNone; s <= StatusRemoved; s++ {
		v := View{Status: s, Given: AllPermissions, Received: AllPermissions}
		want := NoPermissions
		if s == StatusAccepted {
			want = Audio | Video
		}
		if v.Calling() != want || v.Called() != want {
			t.Errorf("%v: calls %v, takes %v", s, v.Calling(), v.Called())
		}
	}
	for bits := range 1 << 5 {
		m := Marks{Blocked: bits&1 != 0, Reported: bits&2 != 0, Removed: bits&4 != 0}
		mine := &Statement{Seq: 1, Listed: bits&8 != 0, Grants: AllPermissions}
		theirs := &Statement{Seq: 1, Listed: bits&16 != 0, Grants: AllPermissions}
		v := Derive(mine, theirs, m)
		if may := mine.Listed && theirs.Listed && !m.Blocked && !m.Reported; may != (v.Calling() != 0) || may != (v.Called() != 0) {
			t.Errorf("%+v, %+v, %+v: calls %v, takes %v", mine, theirs, m, v.Calling(), v.Called())
		}
	}
}
