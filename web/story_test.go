package web_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"contactsd/internal/devices"
)

// acts counts what a person does, so that pairing stays short.
type acts struct {
	*person
	n int
}

func (a *acts) presses(label string) {
	a.n++
	a.person.presses(label)
}

func (a *acts) types(into, text string) {
	a.n++
	a.person.types(into, text)
}

// maxActs is how many it may take on each side to pair.
const maxActs = 4

// testStory is two people who have never seen the page, each with a device and a window.
func testStory(t *testing.T, w world) {
	ana, bob := w.person(t, "Ana"), w.person(t, "Bob")
	at, err := ana.Address(t.Context(), "/tcp/")
	if err != nil {
		t.Fatal(err)
	}

	// They pair, in view of both.
	shows, enters := &acts{person: ana, n: 1}, &acts{person: bob, n: 1} // opening the page
	ana.opens()
	shows.presses("Show my code")
	code := ana.text(".ring .digits")
	bob.opens()
	// Tests look for nobody on the network, which is one act more.
	bob.presses("Not on the same network?")
	bob.types("#at", at)
	enters.types("#code-in", code)
	enters.presses("Pair")
	bob.sees("#enter", "Ana is now a trusted contact.")
	ana.sees("#show", "Bob is now a trusted contact.")
	if shows.n > maxActs || enters.n > maxActs {
		t.Errorf("pairing takes %d and %d acts", shows.n, enters.n)
	}
	ana.sees("#list", "Bob")
	bob.sees("#list", "Ana")

	// Ana writes; it shows at Bob's, who looks at her.
	ana.presses("Write to Bob")
	ana.sees(".head", "Bob")
	bob.presses("Write to Ana")
	bob.sees(".head", "Ana")
	ana.types("#text", "The bread is in the oven.\n") // Enter sends
	bob.sees("#log .in", "The bread is in the oven.")
	ana.sees("#log .out", "Delivered")
	bob.sees(".head", "Online")

	// Presence.
	bob.does(chromedp.SetValue(chromedp.CSS("#state"), "busy"), chromedp.Evaluate[chromedp.Void](`document.getElementById('state').dispatchEvent(new Event('change', {bubbles: true}))`))
	ana.sees(".head", "Busy")
	ana.sees("#list", "Busy")

	// Bob's device goes away. What is written waits, one can be taken back, and the
	// rest arrives when it is there again.
	bob.Stop(syscall.SIGTERM)
	ana.until(`!document.querySelector('.head').innerText.includes('Busy')`)
	ana.types("#text", "Shall I bring cheese?\n")
	ana.sees("#log .out.queued", "Shall I bring cheese?")
	ana.types("#text", "Forget it\n")
	ana.sees("#log .out.queued", "Forget it")
	ana.clicks(`//li[contains(., "Forget it")]//button`)
	ana.sees("#log .out.cancelled", "Forget it")
	bob.sees("#lost", "stopped")
	bob.up()
	ana.until(`[...document.querySelectorAll('#log .out')].some(e => e.innerText.includes('cheese') && e.innerText.includes('Delivered'))`)
	bob.opens() // a daemon that was stopped has forgotten who was logged in
	bob.clicks("#list a")
	bob.sees("#log .in", "Shall I bring cheese?")

	// Files: some that Ana chooses, one that she drops on the chat; a folder can't be.
	ana.does(chromedp.SetUploadFiles(chromedp.CSS("#pick"), []string{camera(t), bread(t, 3<<20)}))
	for left := 2; left > 0; left-- {
		bob.until(fmt.Sprintf(`document.querySelectorAll('#log .in .primary').length === %d`, left))
		bob.clicks(`#log .in .primary`)
	}
	ana.sees("#log .out .file", "Sent")
	ana.does(chromedp.Evaluate[chromedp.Void](drops))
	bob.sees("#log .in .file", "Offered to you")
	bob.clicks(`//li[contains(@class, "in")]//button[contains(., "Reject")]`)
	ana.sees("#log .out .file", "Not wanted")
	ana.until(`!document.querySelector('#uploads li')`)
	ana.copiesGo()

	// Ana gives Bob a name of her own, takes a permission back, and searches.
	ana.clicks(".head .button")
	ana.sees("#about-state", "You two paired")
	ana.types("#remark", "Bobby")
	ana.clicks(`//form[.//input[@id="remark"]]//button`)
	ana.sees("#remark-fault", "Saved")
	ana.sees("#list", "Bobby")
	ana.clicks(`button[aria-label="Withdraw: See presence"]`)
	ana.until(`!document.querySelector('button[aria-label="Withdraw: See presence"]')`)
	ana.types("#q", "nobody like that")
	ana.sees("#list", "Nobody is called")
	ana.does(chromedp.Evaluate[chromedp.Void](`document.getElementById('q').select()`))
	ana.types("#q", "obb") // in the place of what is selected
	ana.sees("#list", "Bobby")

	// Ana blocks Bob, and lets him be again.
	ana.presses("Block")
	ana.presses("Block Bobby")
	ana.sees("#main", "Unblock")
	ana.until(`!document.querySelector('#list a')`)
	ana.presses("Unblock")
	ana.sees("#main", "Nobody is blocked")
	ana.sees("#list", "Bobby")

	// Back goes back.
	ana.does(chromedp.NavigateBack())
	ana.sees("h1", "Bobby")
}

// drops drops a file on the chat, as a hand would.
const drops = `(() => {
	const data = new DataTransfer();
	data.items.add(new File(['sugar'], 'cake.txt'));
	for (const type of ['dragover', 'drop']) document.querySelector('#log').dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));
})()`

// copiesGo waits until no copy of what the browser sent is left.
func (p *person) copiesGo() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	var left []string
	err := devices.Until(ctx, "the copies to go", func() (bool, error) {
		var err error
		left, err = filepath.Glob(filepath.Join(p.Home, "outgoing", "*", "*"))
		return len(left) == 0, err
	})
	if err != nil {
		p.t.Fatalf("%v: %v", err, left)
	}
}

// bread writes a file of so many bytes.
func bread(t *testing.T, size int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bread & butter.txt")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
