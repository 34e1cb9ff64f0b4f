package web

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLoginExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		over := 0
		late, _ := a.issue(func() { over++ })
		inTime, expires := a.issue(func() { over++ })
		if d := time.Until(expires); d != loginFor {
			t.Errorf("good for %v", d)
		}
		time.Sleep(loginFor - time.Nanosecond)
		if _, ok := a.redeem(inTime); !ok {
			t.Error("a login is refused before its time is over")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, ok := a.redeem(late); ok {
			t.Error("a login is good after its time")
		}
		if over != 2 || len(a.logins) != 0 {
			t.Errorf("%d of 2 were told, %d are kept", over, len(a.logins))
		}
	})
}

func TestSessionExpiresUnlessItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		enter := func() string {
			login, _ := a.issue(func() {})
			cookie, ok := a.redeem(login)
			if !ok {
				t.Fatal("refused")
			}
			return cookie
		}
		used, left := enter(), enter()
		for range 3 {
			time.Sleep(sessionFor / 2)
			if a.find(used) == nil {
				t.Fatal("a session that is used ended")
			}
		}
		if a.find(left) != nil {
			t.Error("a session that nobody uses goes on")
		}
		if len(a.sessions) != 1 {
			t.Errorf("%d sessions are kept", len(a.sessions))
		}
	})
}

func TestOldestMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess()
		over := 0
		var logins, cookies []string
		for range maxLogins + 1 {
			login, _ := a.issue(func() { over++ })
			logins = append(logins, login)
			time.Sleep(time.Millisecond)
		}
		if over != 1 || len(a.logins) != maxLogins {
			t.Errorf("%d were told, %d are kept", over, len(a.logins))
		}
		if _, ok := a.redeem(logins[0]); ok {
			t.Error("the oldest is good still")
		}
		for range maxSessions + 1 {
			login, _ := a.issue(func() {})
			cookie, ok := a.redeem(login)
			if !ok {
				t.Fatal("refused")
			}
			cookies = append(cookies, cookie)
			time.Sleep(time.Millisecond)
		}
		if a.find(cookies[0]) != nil || a.find(cookies[1]) == nil || len(a.sessions) != maxSessions {
			t.Errorf("%d sessions", len(a.sessions))
		}
	})
}
