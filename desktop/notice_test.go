package desktop

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/desktop/bus"
)

const evilODID = "odid1qxy7evilevilevil"

// evil are names as somebody might give them who wants to be taken for another, to
// have the desktop load or show something, or to hide what is asked for.
func evil() []string {
	return []string{
		"<b>ana</b>", "<img src=\"file:///etc/passwd\"/>", "<a href=\"http://x/\">click</a>", "</b>&amp;&#x3c;b>",
		"a\u202egpj.exe", "a\u2066b\u2069c", "\x1b[2J\x00\x07", "ana\n\nPress Accept", "\xff\xfe", "\u2028line", strings.Repeat("a", 5000), "<!--", "]]>", "",
	}
}

// notices are all notices that a text of others comes into.
func notices(text string) []notice {
	return []notice{
		requestNotice(&contactsv1.Request{Id: "1", Odid: evilODID, Name: text, Wording: text, Permissions: []string{"messages"}}, true),
		messageNotice(evilODID, foreign(text), true),
		fileNotice(&contactsv1.File{Id: "1", Name: text, Size: 1 << 20}, foreign(text), true),
		fileNotice(&contactsv1.File{Id: "1", Name: text, Folder: true}, foreign(text), true),
		pairingNotice(evilODID, foreign(text), true),
		resultShown("Failed", text),
	}
}

// markup returns the elements of a body as a server reads it, and its text.
func markup(body string) (elements []string, text string, err error) {
	d := xml.NewDecoder(strings.NewReader("<body>" + body + "</body>"))
	var b strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, b.String(), nil
		}
		if err != nil {
			return nil, "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements = append(elements, token.Name.Local)
		case xml.CharData:
			b.Write(token)
		}
	}
}

func obeyed(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' }

// harmless fails for a notification in which text of others is more than text.
func harmless(t interface{ Errorf(string, ...any) }, n notice) {
	for _, read := range []bool{true, false} {
		out := n.shown(read)
		elements, text, err := markup(out.Body)
		if err != nil || len(elements) != 1 {
			t.Errorf("markup %v read=%v: %q is %v, %v", n.kind, read, out.Body, elements, err)
		}
		if strings.ContainsFunc(text, obeyed) || strings.ContainsFunc(out.Body, obeyed) {
			t.Errorf("%q is obeyed", out.Body)
		}
		if strings.Count(out.Body, "\n") > 1 {
			t.Errorf("%q has lines of its own", out.Body)
		}
		if len([]rune(text)) > 1000 && n.kind != aResult {
			t.Errorf("%d characters", len([]rune(text)))
		}
	}
}

// TestAttackMarkup: names, wordings and files that are more than text.
func TestAttackMarkup(t *testing.T) {
	for _, text := range evil() {
		for _, n := range notices(text) {
			harmless(t, n)
			if text != "" && strings.Contains(n.shown(true).Summary, text) {
				t.Errorf("the summary %q is of others", n.summary)
			}
		}
	}
}

func TestTextOfOthersStaysText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		for _, n := range notices(text) {
			harmless(t, n)
		}
	})
}

func FuzzNotice(f *testing.F) {
	for _, s := range evil() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range notices(s) {
			harmless(t, n)
		}
	})
}

// TestNamesAreKept: with notify-names off nobody and no file is named, and nobody
// can be accepted unseen.
func TestNamesAreKept(t *testing.T) {
	for _, n := range []notice{
		requestNotice(&contactsv1.Request{Id: "1", Odid: "odid1secret", Name: "secret", Wording: "secret"}, false),
		messageNotice("odid1secret", "secret", false),
		fileNotice(&contactsv1.File{Id: "1", Name: "secret"}, "secret", false),
		pairingNotice("odid1secret", "secret", false),
	} {
		out := n.shown(true)
		if strings.Contains(out.Summary+out.Body, "secret") {
			t.Errorf("%q names: %q", out.Summary, out.Body)
		}
		for _, a := range out.Actions {
			if a.Key != openKey {
				t.Errorf("%q can be answered unseen: %v", out.Summary, a)
			}
		}
	}
	if a, b := messageNotice("odid1a", "ana", false), messageNotice("odid1b", "bob", false); a.key != b.key {
		t.Error("unnamed messages are apart, so they tell how many contacts wrote")
	}
}

func TestWhatNoticesSay(t *testing.T) {
	for _, c := range []struct {
		n             notice
		summary, body string
		actions       string
	}{
		{requestNotice(&contactsv1.Request{Id: "7", Odid: "odid1qxy7abcdefgh", Name: "Ana", Wording: "hi", Permissions: []string{"messages", "status"}}, true),
			"A new request", "“Ana” (odid1qxy7abc…) asks to become your contact, with: messages, status\n“hi”", "accept reject default"},
		{requestNotice(&contactsv1.Request{Id: "7", Odid: "odid1qxy7abcdefgh", Name: "Ana", Contact: true, Kinds: []string{"card"}}, true),
			"A new request", "“Ana” (odid1qxy7abc…) asks for your contact card, all of it", "accept reject default"},
		{requestNotice(&contactsv1.Request{Id: "7", Odid: "odid1qxy7abcdefgh", Name: "Ana", Contact: true, Permissions: []string{"audio"}}, true),
			"A new request", "“Ana” (odid1qxy7abc…) asks to be allowed more, with: audio", "accept reject default"},
		{messageNotice("o", "Ana", true), "A new message", "from Ana", "default"},
		{messageNotice("o", "Ana", true).merged(messageNotice("o", "Ana", true)), "2 new messages", "from Ana", "default"},
		{fileNotice(&contactsv1.File{Id: "1", Name: "a.pdf", Size: 2_100_000}, "Ana", true), "A file is offered", "Ana wants to send you “a.pdf”, 2.1 MB", "default"},
		{pairingNotice("o", "Ana", true), "Paired", "You and Ana trust each other now", "default"},
		{codeShown(&contactsv1.Code{Accepts: "link"}), "Too many wrong codes", "For a while only links are accepted. Open Contacts to show one.", ""},
		{resultShown("The request was not answered", "gone"), "The request was not answered", "gone", "default"},
	} {
		out := c.n.shown(true)
		var keys []string
		for _, a := range out.Actions {
			keys = append(keys, a.Key)
		}
		if out.Summary != c.summary || out.Body != c.body || strings.Join(keys, " ") != c.actions {
			t.Errorf("got %q, %q, %v\nwant %q, %q, %s", out.Summary, out.Body, keys, c.summary, c.body, c.actions)
		}
	}
	if out := codeShown(&contactsv1.Code{Code: "482-193"}).shown(true); !out.Transient || !out.Stays || out.Urgency != bus.Critical || len(out.Actions) != 0 {
		t.Errorf("the code is shown as %+v", out)
	}
}
