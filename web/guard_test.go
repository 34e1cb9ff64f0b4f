package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"contactsd/client"
)

// lone is a page whose daemon does not answer: what passes the guards is told so, with
// status 502, and what does not is 401 or 403.
type lone struct {
	*Server
	t   *testing.T
	log *logged
}

// logged is a log that tests read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func newLone(t *testing.T) *lone {
	t.Helper()
	dir := t.TempDir()
	l := &lone{t: t, log: new(logged)}
	var err error
	l.Server, err = New(Config{
		Client: &client.Client{Socket: filepath.Join(dir, "none.sock")}, Listen: "127.0.0.1:0", Dir: dir, Spool: filepath.Join(dir, "outgoing"),
		Log: slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// asks sends a request as a browser of the same user would, changed by header: pairs
// of names and values, where an empty value takes a header away.
func (l *lone) asks(method, path, body string, header ...string) *http.Response {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, "http://"+l.host+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet {
		req.Header.Set("Origin", "http://"+l.host)
	}
	for i := 0; i < len(header); i += 2 {
		switch {
		case header[i] == "Host":
			req.Host = header[i+1]
		case header[i+1] == "":
			req.Header.Del(header[i])
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	c := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := c.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(b))
	return res
}

// secret makes a login and returns what stands behind the "#".
func (l *lone) secret() string {
	l.t.Helper()
	login, err := l.Login(false)
	if err != nil {
		l.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(login.URL, "#")
	return secret
}

// session logs in and returns the Cookie header of that browser.
func (l *lone) session() string {
	l.t.Helper()
	res := l.asks("POST", "/login", "login="+l.secret())
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		l.t.Fatalf("login: %s %v", res.Status, res.Header)
	}
	return res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
}

const inside = http.StatusBadGateway // the guards let it through

func TestBrowserWithASessionIsLetIn(t *testing.T) {
	l := newLone(t)
	cookie := l.session()
	for _, header := range [][]string{
		{"Cookie", cookie},
		{"Cookie", cookie, "Sec-Fetch-Site", "none"},
		{"Cookie", cookie, "Sec-Fetch-Site", ""},
	} {
		if res := l.asks("GET", "/", "", header...); res.StatusCode != inside {
			t.Errorf("%v: %s", header, res.Status)
		}
	}
	if res := l.asks("POST", "/presence", "state=busy", "Cookie", cookie); res.StatusCode != inside {
		t.Error(res.Status)
	}
}

func TestAttackWithoutASession(t *testing.T) {
	l := newLone(t)
	good := l.session()
	name, value, _ := strings.Cut(good, "=")
	for what, cookie := range map[string]string{
		"none": "", "empty": name + "=", "guessed": name + "=" + strings.Repeat("A", 43), "cut": good[:len(good)-1],
		"longer": good + "A", "of another port": "contacts-1=" + value, "the login of one": name + "=" + l.secret(),
	} {
		for _, path := range []string{"/", "/list", "/live", "/code", "/settings", "/c/bob"} {
			if res := l.asks("GET", path, "", "Cookie", cookie); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s, %s: %s", what, path, res.Status)
			}
		}
	}
}

// TestAttackRebinding: a page of a name that points at 127.0.0.1 is same-origin with
// itself, so the Host header alone tells.
func TestAttackRebinding(t *testing.T) {
	l := newLone(t)
	cookie := l.session()
	_, port, _ := net.SplitHostPort(l.host)
	for _, host := range []string{
		"evil.example", "evil.example:" + port, "localhost:" + port, "127.0.0.1", "127.0.0.1:1", "127.0.0.1:" + port + ".evil.example",
		"127.0.0.2:" + port, "[::1]:" + port, "0.0.0.0:" + port, "127.0.0.1.:" + port, "2130706433:" + port,
	} {
		for _, path := range []string{"/", "/login", "/static/page.js"} {
			res := l.asks("GET", path, "", "Host", host, "Cookie", cookie)
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("Host %s, %s: %s", host, path, res.Status)
			}
		}
		if res := l.asks("POST", "/login", "login="+l.secret(), "Host", host, "Origin", "http://"+host); res.StatusCode != http.StatusForbidden || len(res.Cookies()) > 0 {
			t.Errorf("Host %s: login: %s", host, res.Status)
		}
	}
}

// TestAttackFromAnotherSite: with the victim's cookie, as if a browser had sent it.
func TestAttackFromAnotherSite(t *testing.T) {
	l := newLone(t)
	cookie := l.session()
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"}, // another port of this machine
		{"Sec-Fetch-Site", "nonsense"},
	} {
		for _, path := range []string{"/", "/list", "/live", "/code", "/static/page.js"} {
			if res := l.asks("GET", path, "", append(header, "Cookie", cookie)...); res.StatusCode != http.StatusForbidden {
				t.Errorf("GET %s with %v: %s", path, header, res.Status)
			}
		}
	}
	for _, header := range [][]string{
		{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		{"Origin", "https://evil.example", "Sec-Fetch-Site", ""}, // a browser without Fetch Metadata
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
		{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"},
		{"Origin", "https://" + l.host},
		{"Origin", "http://" + l.host + ".evil.example"},
		{"Origin", ""},
		{"Origin", "", "Sec-Fetch-Site", ""},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "none", "Origin", ""},
	} {
		if res := l.asks("POST", "/presence", "state=busy", append(header, "Cookie", cookie)...); res.StatusCode != http.StatusForbidden {
			t.Errorf("POST with %v: %s", header, res.Status)
		}
		if res := l.asks("POST", "/login", "login="+l.secret(), header...); res.StatusCode != http.StatusForbidden || len(res.Cookies()) > 0 {
			t.Errorf("login with %v: %s", header, res.Status)
		}
	}
}

func TestAttackFrames(t *testing.T) {
	l := newLone(t)
	cookie := l.session()
	for _, dest := range []string{"iframe", "frame", "embed", "object", "fencedframe"} {
		for _, path := range []string{"/", "/login"} {
			if res := l.asks("GET", path, "", "Cookie", cookie, "Sec-Fetch-Dest", dest); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s of %s: %s", dest, path, res.Status)
			}
		}
	}
	for _, path := range []string{"/", "/login", "/static/page.css", "/nothing"} {
		res := l.asks("GET", path, "", "Cookie", cookie)
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || res.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s may be framed: %v", path, res.Header)
		}
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

// TestEveryRouteIsGuarded reads the table of routes, so that a new one is tested.
func TestEveryRouteIsGuarded(t *testing.T) {
	l := newLone(t)
	cookie := l.session()
	text, err := os.ReadFile("routes.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`inside\.HandleFunc\("(GET|POST) (\S+?)(?:\{\$\})?"`).FindAllStringSubmatch(string(text), -1)
	if len(routes) < 20 {
		t.Fatalf("only %d routes were found", len(routes))
	}
	for _, r := range routes {
		method, path := r[1], regexp.MustCompile(`\{\w+\}`).ReplaceAllString(r[2], "x")
		if res := l.asks(method, path, ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s without a session: %s", method, path, res.Status)
		}
		if res := l.asks(method, path, "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s of another site: %s", method, path, res.Status)
		}
		if method == "POST" && path != "/logout" {
			if res := l.asks("GET", path, "", "Cookie", cookie); res.StatusCode == http.StatusOK {
				t.Errorf("%s can be done by a GET: %s", path, res.Status)
			}
		}
	}
}

func TestLoginIsGoodOnce(t *testing.T) {
	l := newLone(t)
	secret := l.secret()
	if res := l.asks("GET", "/login?login="+secret, ""); res.StatusCode != http.StatusOK || len(res.Cookies()) > 0 {
		t.Fatalf("looking at the page of a login: %s, %v", res.Status, res.Cookies())
	}
	var wins sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 8 {
		wins.Go(func() {
			if _, ok := l.access.redeem(secret); ok {
				mu.Lock()
				defer mu.Unlock()
				won++
			}
		})
	}
	wins.Wait()
	if won != 1 {
		t.Errorf("%d of 8 who bring the same login are let in", won)
	}
	for _, wrong := range []string{secret, "", "x", strings.Repeat("A", 43), strings.Repeat("A", 100_000)} {
		if res := l.asks("POST", "/login", "login="+wrong); res.StatusCode != http.StatusForbidden || len(res.Cookies()) > 0 {
			t.Errorf("login of %d bytes: %s", len(wrong), res.Status)
		}
	}
}

func TestCookieIsForThisPageAlone(t *testing.T) {
	l := newLone(t)
	res := l.asks("POST", "/login", "login="+l.secret())
	c := res.Cookies()[0]
	_, port, _ := net.SplitHostPort(l.host)
	if c.Name != "contacts-"+port || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.Path != "/" || len(c.Value) != 43 {
		t.Errorf("%v", c)
	}
	if at := res.Header.Get("Location"); at != "/" {
		t.Errorf("goes to %q", at)
	}
}

func TestLoggingOutEndsEverySession(t *testing.T) {
	l := newLone(t)
	one, other := l.session(), l.session()
	_, value, _ := strings.Cut(one, "=")
	open := l.access.find(value)
	if res := l.asks("POST", "/logout", "", "Cookie", other); res.StatusCode != http.StatusSeeOther {
		t.Fatal(res.Status)
	}
	<-open.Done() // its streams end
	for _, cookie := range []string{one, other} {
		if res := l.asks("GET", "/", "", "Cookie", cookie); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("after logging out: %s", res.Status)
		}
	}
}

func TestSecretsAreInNoLogOrAnswer(t *testing.T) {
	l := newLone(t)
	secret := l.secret()
	cookie := l.session()
	_, value, _ := strings.Cut(cookie, "=")
	var seen bytes.Buffer
	for _, res := range []*http.Response{
		l.asks("POST", "/login", "login="+secret, "Origin", "null"),
		l.asks("POST", "/login", "login="+secret+"x"),
		l.asks("GET", "/", "", "Cookie", cookie),
		l.asks("GET", "/", "", "Cookie", cookie, "Host", "evil.example"),
	} {
		io.Copy(&seen, res.Body)
	}
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	for _, text := range []string{seen.String(), l.log.text.String()} {
		if strings.Contains(text, secret) || strings.Contains(text, value) {
			t.Errorf("a secret in\n%s", text)
		}
	}
	if !strings.Contains(l.log.text.String(), "refused") {
		t.Error("nothing was logged, so nothing was looked at")
	}
}

func TestFileLeadsToALogin(t *testing.T) {
	l := newLone(t)
	login, err := l.Login(true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(login.File)
	if err != nil || info.Mode() != 0o600 || login.URL != "" || filepath.Dir(login.File) != l.dir {
		t.Fatalf("%v, %v, %+v", info, err, login)
	}
	text, err := os.ReadFile(login.File)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`url=(http://[^#]*)#([\w-]{43})"`).FindSubmatch(text)
	if m == nil || string(m[1]) != l.URL()+"login" {
		t.Fatalf("leads nowhere: %s", text)
	}
	if res := l.asks("POST", "/login", "login="+string(m[2])); res.StatusCode != http.StatusSeeOther {
		t.Error(res.Status)
	}
	if _, err := os.Stat(login.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a login that was used: %v", err)
	}
	if login, err = l.Login(true); err != nil {
		t.Fatal(err)
	}
	l.clearFiles()
	if _, err := os.Stat(login.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a process that is gone: %v", err)
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	l := newLone(t)
	cookie := l.session()
	if res := l.asks("POST", "/login", "login="+strings.Repeat("x", maxForm+1)); res.StatusCode != http.StatusForbidden {
		t.Errorf("a form that is too long: %s", res.Status)
	}
	if res := l.asks("GET", "/", "", "Cookie", cookie, "X-Long", strings.Repeat("x", maxHeader+8<<10)); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers that are too long: %s", res.Status)
	}
}

func TestOnlyThisMachine(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "127.0.0.1:8750": true,
		"": false, ":8750": false, "0.0.0.0:8750": false, "localhost:8750": false, "[::]:1": false, "[::1]:1": false, "192.0.2.1:1": false,
		"127.0.0.1": false, "127.0.0.1:99999": false, "[::ffff:127.0.0.1]:1": false,
	} {
		if err := CheckListen(address); (err == nil) != want || (err != nil && !errors.Is(err, ErrListen)) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestOwnerOfASocket(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   3: 0100007F:C002 0100007F:1F90 01 00000000:00000000 00:00000000 00000000
`
	page := netip.MustParseAddrPort("127.0.0.1:8080")
	for port, want := range map[uint16]int{0xC001: 1000, 0xC002: -1, 0xC003: -1} {
		uid, err := ownerOf(strings.NewReader(table), netip.AddrPortFrom(page.Addr(), port), page)
		if want < 0 {
			if !errors.Is(err, errNoSocket) {
				t.Errorf("port %d: %d, %v", port, uid, err)
			}
		} else if err != nil || uid != want {
			t.Errorf("port %d: %d, %v", port, uid, err)
		}
	}
	if procAddr(page) != "0100007F:1F90" && procAddr(page) != "7F000001:1F90" {
		t.Error(procAddr(page))
	}
}

// TestAttackOfAnotherUser connects as the user nobody, with a session that it has
// stolen.
func TestAttackOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	l := newLone(t)
	cookie := l.session()
	conn := dialAs(t, l.host, 65534)
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+l.host+"\r\nCookie: "+cookie+"\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 403 ") || !strings.Contains(string(answer), "user 65534 may not use the page of user 0") {
		t.Errorf("%s", answer)
	}
}

// dialAs connects with a socket that belongs to another user: the kernel takes the
// owner from the thread that makes it (setfsuid(2)).
func dialAs(t *testing.T, host string, uid int) net.Conn {
	t.Helper()
	to := netip.MustParseAddrPort(host)
	type made struct {
		f   *os.File
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		if _, err := unix.SetfsuidRetUid(uid); err != nil {
			done <- made{nil, err}
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
		}
		done <- made{os.NewFile(uintptr(fd), "socket"), err}
	}()
	m := <-done
	if m.err != nil {
		t.Fatal(m.err)
	}
	defer m.f.Close()
	conn, err := net.FileConn(m.f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestNothingFromElsewhere looks for what would load or run anything but our files.
func TestNothingFromElsewhere(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	ours := []string{"static/page.css", "static/page.js", "static/login.js"}
	bad := regexp.MustCompile(`(?i)\son\w+=|style=|<style|javascript:|hx-on|js:|https?://|//cdn|@import|eval\(|url\(`)
	script := regexp.MustCompile(`<script[^>]*>`)
	for _, f := range append(files, ours...) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range bad.FindAllString(string(text), -1) {
			t.Errorf("%s: %q", f, found)
		}
		for _, tag := range script.FindAllString(string(text), -1) {
			if !strings.Contains(tag, `src="/static/`) {
				t.Errorf("%s: %s", f, tag)
			}
		}
	}
}

// TestWeight: what a browser loads is bounded, and so is the script of our own.
func TestWeight(t *testing.T) {
	size := func(names ...string) (n int64) {
		for _, name := range names {
			info, err := os.Stat(filepath.Join("static", name))
			if err != nil {
				t.Fatal(err)
			}
			n += info.Size()
		}
		return n
	}
	if n := size("page.js", "login.js"); n >= 5000 {
		t.Errorf("our own script has %d bytes, at most 5000", n)
	}
	if n := size("page.js", "login.js", "page.css", "htmx.js", "hx-sse.js", "icon.svg"); n >= 90_000 {
		t.Errorf("the files have %d bytes: with a page of rows that is over 150 kB", n)
	}
	scripts, err := filepath.Glob("static/*.js")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(scripts)
	if want := []string{"static/htmx.js", "static/hx-sse.js", "static/login.js", "static/page.js"}; !slices.Equal(scripts, want) {
		t.Errorf("scripts: %v", scripts)
	}
}
