package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// How long what lets a browser in is good, and how many of each there are; the
// oldest makes room.
const (
	loginFor    = time.Minute
	maxLogins   = 8
	sessionFor  = 7 * 24 * time.Hour // since it was used last
	maxSessions = 32
)

// secretSize is 256 bits: nobody guesses one.
const secretSize = 32 // bytes

// digest is what is kept of a secret. That it is looked up by its hash leaves no time
// to measure.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func newSecret() (secret string, d digest) {
	b := make([]byte, secretSize)
	rand.Read(b) // never fails
	secret = base64.RawURLEncoding.EncodeToString(b)
	return secret, digestOf(secret)
}

// access knows the logins that wait and the sessions there are.
type access struct {
	mu       sync.Mutex
	logins   map[digest]login
	sessions map[digest]*session
}

type login struct {
	expires time.Time
	done    func() // it was used or is over
}

// session is one browser that is let in. Its context ends with it, and with that
// the streams it has open.
type session struct {
	context.Context
	end  context.CancelFunc
	used time.Time
}

func newAccess() *access {
	return &access{logins: make(map[digest]login), sessions: make(map[digest]*session)}
}

// issue makes a login. done is called once, when it was used or is over, unless the
// process ends before.
func (a *access) issue(done func()) (secret string, expires time.Time) {
	secret, d := newSecret()
	done = sync.OnceFunc(done)
	expires = time.Now().Add(loginFor)
	time.AfterFunc(loginFor, func() { a.take(d) })
	a.mu.Lock()
	var oldest digest
	for have, l := range a.logins {
		if first, ok := a.logins[oldest]; !ok || l.expires.Before(first.expires) {
			oldest = have
		}
	}
	var over func()
	if len(a.logins) >= maxLogins {
		over = a.logins[oldest].done
		delete(a.logins, oldest)
	}
	a.logins[d] = login{expires, done}
	a.mu.Unlock()
	if over != nil {
		over()
	}
	return secret, expires
}

// take removes a login and reports whether it was good.
func (a *access) take(d digest) bool {
	a.mu.Lock()
	l, ok := a.logins[d]
	delete(a.logins, d)
	a.mu.Unlock()
	if !ok {
		return false
	}
	l.done()
	return time.Now().Before(l.expires)
}

// redeem turns a login into a session. The cookie is its secret.
func (a *access) redeem(login string) (cookie string, ok bool) {
	if !a.take(digestOf(login)) {
		return "", false
	}
	cookie, d := newSecret()
	ctx, end := context.WithCancel(context.Background())
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.sessions) >= maxSessions {
		var oldest digest
		for have, s := range a.sessions {
			if first, ok := a.sessions[oldest]; !ok || s.used.Before(first.used) {
				oldest = have
			}
		}
		a.drop(oldest)
	}
	a.sessions[d] = &session{ctx, end, time.Now()}
	return cookie, true
}

// find returns the session of a cookie, nil if it is none.
func (a *access) find(cookie string) *session {
	d := digestOf(cookie)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[d]
	if s == nil {
		return nil
	}
	now := time.Now()
	if now.Sub(s.used) > sessionFor {
		a.drop(d)
		return nil
	}
	s.used = now
	return s
}

// drop ends a session. The caller holds the lock.
func (a *access) drop(d digest) {
	a.sessions[d].end()
	delete(a.sessions, d)
}

// endAll lets nobody in any more: every browser logs in anew.
func (a *access) endAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for d := range a.sessions {
		a.drop(d)
	}
}
