package web_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/identity"
)

// many is how long the list of testManyContacts is.
const many = 3000

// inGroup is how many of them are in the group Family.
const inGroup = 40

// maxTransfer is how many bytes the page may take to load.
const maxTransfer = 150_000

// testManyContacts scrolls and filters a long list, and tells how long what a person
// waits for takes. Nothing else of this test runs meanwhile.
func testManyContacts(t *testing.T, w world) {
	ana, bob := w.person(t, "Ana"), w.person(t, "Bob")
	ana.meets(bob)
	ana.knows(many-1, inGroup)
	ana.opens()
	ana.sees("#list", "Contact 0000")
	if n := ana.rows(); n > 200 {
		t.Errorf("%d rows at once", n)
	}
	if n := gets(ana, chromedp.Evaluate[int](`performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource')).reduce((n, e) => n + e.transferSize, 0)`)); n > maxTransfer {
		t.Errorf("the page is %d bytes, at most %d", n, maxTransfer)
	} else {
		t.Logf("the page with %d contacts is %d bytes", many, n)
	}
	var answered, presence []int
	tells(t, "first paint", func() int {
		ana.goes("/")
		ana.until(`performance.getEntriesByName('first-contentful-paint').length`)
		ana.sees("#list", "Bob")
		// Here as well, since a presence is told at most once a second.
		text := time.Now().Format(time.RFC3339Nano)
		presence = append(presence, ana.shows("#list", text, func() error {
			_, err := bob.Device.Presence().SetPresence(t.Context(), &contactsv1.SetPresenceRequest{State: "busy", Text: text})
			return err
		}))
		answered = append(answered, gets(ana, chromedp.Evaluate[int](`Math.round(performance.getEntriesByType('navigation')[0].responseEnd)`)))
		return gets(ana, chromedp.Evaluate[int](`Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime)`))
	})
	logged(t, "of which the daemon's answer", answered)
	logged(t, "a presence on the screen of the other device", presence)
	ana.goes("/c/" + bob.ODID)
	tells(t, "a message on the screen of the other device", func() int {
		text := time.Now().Format(time.RFC3339Nano)
		return ana.shows("#log", text, func() error {
			_, err := bob.Messages().SendMessage(t.Context(), &contactsv1.SendMessageRequest{Contact: ana.ODID, Text: text})
			return err
		})
	})

	// Whoever scrolls to the end gets there.
	frames := gets(ana, chromedp.Evaluate[[]float64](scrolls, chromedp.EvalAwaitPromise))
	slices.Sort(frames)
	t.Logf("scrolling over %d contacts: %d frames, half within %.0f ms, 99 of 100 within %.0f ms, all within %.0f ms",
		many, len(frames), frames[len(frames)/2], frames[len(frames)*99/100], frames[len(frames)-1])
	ana.until(fmt.Sprintf(`(document.getElementById('scroll').scrollTop = 1e9, document.getElementById('list').lastElementChild.innerText.includes('Contact %04d'))`, many-2))
	if n := ana.rows(); n != many {
		t.Errorf("%d rows", n)
	}

	// What is typed, and what is chosen, shortens it.
	round := 0
	tells(t, "filtering by a name (80 ms of it wait for the next key)", func() int {
		round++
		name := fmt.Sprintf("Contact 01%02d", round)
		return gets(ana, chromedp.Evaluate[int](fmt.Sprintf(filters, "q", name, "input", 1), chromedp.EvalAwaitPromise))
	})
	ana.does(chromedp.Evaluate[chromedp.Void](`document.getElementById('q').value = ''`))
	tells(t, "choosing a group", func() int {
		gets(ana, chromedp.Evaluate[int](fmt.Sprintf(filters, "only", "trust:paired", "change", 1), chromedp.EvalAwaitPromise))
		return gets(ana, chromedp.Evaluate[int](fmt.Sprintf(filters, "only", `group:"Family"`, "change", inGroup), chromedp.EvalAwaitPromise))
	})
	ana.shot("group-chosen")
}

// tells logs the median of some figures.
func tells(t *testing.T, what string, measure func() int) {
	t.Helper()
	var all []int
	for range 9 {
		all = append(all, measure())
	}
	logged(t, what, all)
}

func logged(t *testing.T, what string, all []int) {
	t.Helper()
	slices.Sort(all)
	t.Logf("%s: %d ms (%v)", what, all[len(all)/2], all)
}

// scrolls goes over the list, one screen a frame, and returns how many milliseconds
// each frame took.
const scrolls = `new Promise(done => {
	const el = document.getElementById('scroll'), frames = [];
	let last, still = 0;
	const step = now => {
		if (last) frames.push(now - last);
		last = now;
		const at = el.scrollTop;
		el.scrollTop += el.clientHeight;
		still = el.scrollTop === at ? still + 1 : 0;
		if (still < 30 || el.querySelector('.more')) requestAnimationFrame(step);
		else done(frames.slice(0, -30));
	};
	requestAnimationFrame(step);
})`

// filters enters a text, or chooses, and returns after how many milliseconds the list
// had so many rows and was drawn.
const filters = `new Promise(done => {
	const began = performance.now(), list = document.getElementById('list'), from = document.getElementById(%q);
	new MutationObserver((_, seen) => {
		if (list.querySelectorAll(':scope > [id]').length !== want) return;
		seen.disconnect();
		requestAnimationFrame(() => setTimeout(() => done(Math.round(performance.now() - began))));
	}).observe(list, {childList: true});
	from.value = %q;
	from.dispatchEvent(new Event(%q, {bubbles: true}));
	var want = %d;
})`

// shows returns how many milliseconds after an act of somebody else a text was drawn.
func (p *person) shows(part, text string, act func() error) int {
	p.t.Helper()
	p.does(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`window.seen = new Promise(done => new MutationObserver((_, seen) => {
		if (!document.querySelector(%q).textContent.includes(%q)) return;
		seen.disconnect();
		requestAnimationFrame(() => setTimeout(() => done(Date.now())));
	}).observe(document.body, {subtree: true, childList: true, characterData: true})), undefined`, part, text)))
	began := time.Now()
	if err := act(); err != nil {
		p.t.Fatal(err)
	}
	return int(gets(p, chromedp.Evaluate[int64](`window.seen`, chromedp.EvalAwaitPromise)) - began.UnixMilli())
}

// rows is how many contacts the list shows.
func (p *person) rows() int {
	p.t.Helper()
	return gets(p, chromedp.Evaluate[int](`document.querySelectorAll('#list > li > a[href^="/c/"]').length`))
}

// meets makes two people trusted contacts, without their windows.
func (p *person) meets(other *person) {
	p.t.Helper()
	shown, err := p.Pairing().ShowCode(p.t.Context(), &contactsv1.ShowCodeRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer shown.Close()
	if !shown.Receive() {
		p.t.Fatal(shown.Err())
	}
	at, err := p.Address(p.t.Context(), "/tcp/")
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := other.Pairing().EnterCode(p.t.Context(), &contactsv1.EnterCodeRequest{Code: shown.Msg().GetCode().Code, At: at}); err != nil {
		p.t.Fatal(err)
	}
}

// knows adds so many devices that there are not, the first of them in the group Family.
func (p *person) knows(n, family int) {
	p.t.Helper()
	// More than a new device lists untrusted unless its user says so.
	if _, err := p.Device.Device().SetSettings(p.t.Context(), &contactsv1.SetSettingsRequest{Settings: map[string]string{"max-untrusted": fmt.Sprint(n)}}); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.Groups().CreateGroup(p.t.Context(), &contactsv1.CreateGroupRequest{Group: "Family"}); err != nil {
		p.t.Fatal(err)
	}
	var batch []*contactsv1.AddContactRequest
	for i := range n {
		id, err := identity.Generate()
		if err != nil {
			p.t.Fatal(err)
		}
		batch = append(batch, &contactsv1.AddContactRequest{Odid: id.Self().String(), Remark: fmt.Sprintf("Contact %04d", i)})
	}
	for some := range slices.Chunk(batch, 1000) {
		got, err := p.Contacts().AddContacts(p.t.Context(), &contactsv1.AddContactsRequest{Contacts: some})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, one := range got.Results {
			if !one.Ok {
				p.t.Fatal(one.Error)
			}
		}
	}
	for _, c := range batch[:family] {
		if _, err := p.Contacts().SetContact(p.t.Context(), &contactsv1.SetContactRequest{Contact: c.Odid, Groups: &contactsv1.GroupNames{Names: []string{"Family"}}}); err != nil {
			p.t.Fatal(err)
		}
	}
}
