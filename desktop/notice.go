package desktop

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/desktop/bus"
	"contactsd/internal/legible"
)

// kind is what a notice is about.
type kind int

const (
	aRequest kind = iota
	aMessage
	aFile
	aPairing // the last kind of what comes by itself
	aCode    // this device's own, which the user asked to see
	aResult  // of what the user asked for
	aDigest  // of several
)

// notice is something to tell the user. Body is plain text.
type notice struct {
	key     string // what it is about
	kind    kind
	summary string // of our own words only: some servers read markup in it
	body    string
	request string     // id of the request that can be answered there
	count   int        // of messages
	counts  [aCode]int // of a digest, by kind
}

// Keys of actions. The last is a click on the notification itself
// (Desktop Notifications, "default").
const (
	acceptKey = "accept"
	rejectKey = "reject"
	openKey   = "default"
)

// Keys of notices.
const (
	codeNotice   = "code"
	resultNotice = "result"
	digestNotice = "digest"
)

func requestKey(id string) string   { return "request-" + id }
func messageKey(odid string) string { return "message-" + odid }
func fileKey(id string) string      { return "file-" + id }

// somebody stands for a name that is not to be shown.
const somebody = "somebody"

// requestNotice tells of a request. Names are not shown if the user wants none, and
// then it can't be answered there: nobody should accept whom they can't see.
func requestNotice(r *contactsv1.Request, named bool) notice {
	n := notice{key: requestKey(r.Id), kind: aRequest, summary: "A new request"}
	if !named {
		n.body = "Somebody asks for something. Open Contacts to see who."
		return n
	}
	n.request = r.Id
	wants := "asks to become your contact"
	switch {
	case slices.Contains(r.Kinds, "card"):
		wants = "asks for your contact card, all of it"
	case r.Contact:
		wants = "asks to be allowed more"
	}
	n.body = fmt.Sprintf("%s (%s) %s", quoted(r.Name), short(r.Odid), wants)
	if len(r.Permissions) > 0 {
		n.body += ", with: " + strings.Join(r.Permissions, ", ")
	}
	if r.Wording != "" {
		n.body += "\n" + quoted(r.Wording)
	}
	return n
}

// messageNotice tells of a message, never what it says.
func messageNotice(odid, who string, named bool) notice {
	n := notice{key: messageKey(odid), kind: aMessage, summary: "A new message", body: "from " + who, count: 1}
	if !named {
		n.key, n.body = messageKey(""), ""
	}
	return n
}

// fileNotice tells of a file that is offered and waits for the user.
func fileNotice(f *contactsv1.File, who string, named bool) notice {
	n := notice{key: fileKey(f.Id), kind: aFile, summary: "A file is offered"}
	if !named {
		who = somebody
	}
	n.body = fmt.Sprintf("%s wants to send you ", who)
	switch {
	case !named:
		n.body += "a file"
	case f.Folder:
		n.body += "the folder " + quoted(f.Name)
	default:
		n.body += quoted(f.Name)
	}
	n.body += ", " + sizeText(f.Size)
	return n
}

func pairingNotice(odid, who string, named bool) notice {
	n := notice{key: "paired-" + odid, kind: aPairing, summary: "Paired"}
	if !named {
		who = "the other device"
	}
	n.body = "You and " + who + " trust each other now"
	return n
}

func codeShown(c *contactsv1.Code) notice {
	n := notice{key: codeNotice, kind: aCode, summary: "Your code is " + c.Code}
	if c.Code == "" {
		n.summary = "Too many wrong codes"
		n.body = "For a while only links are accepted. Open Contacts to show one."
		return n
	}
	n.body = "Type it on the other device until " + c.ExpiresAt.AsTime().Local().Format("15:04:05") + ". Close this to hide it."
	return n
}

func resultShown(summary, body string) notice {
	return notice{key: resultNotice, kind: aResult, summary: summary, body: legible.Line(body)}
}

// maxForeign bounds what of one text of others is shown.
const maxForeign = 120 // characters

// quoted returns what other people wrote between quotation marks.
func quoted(s string) string { return "“" + foreign(s) + "”" }

// foreign returns what other people wrote as one line that is not too long.
func foreign(s string) string {
	s = legible.Line(s)
	if utf8.RuneCountInString(s) <= maxForeign {
		return s
	}
	return string([]rune(s)[:maxForeign-1]) + "…"
}

// short is the start of an ODID, by which people tell devices apart.
func short(odid string) string { return odid[:min(len(odid), 12)] + "…" }

func sizeText(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// merged returns n in the place of was, which is about the same and was not read.
func (n notice) merged(was notice) notice {
	switch n.kind {
	case aMessage:
		n.count += was.count
	case aDigest:
		for kind, count := range was.counts {
			n.counts[kind] += count
		}
	}
	return n
}

// shown returns a notice as the server gets it.
func (n notice) shown(markup bool) bus.Notification {
	out := bus.Notification{Summary: n.summary, Body: noMarkup(n.body, markup), Urgency: bus.Normal}
	switch {
	case n.kind == aDigest:
		out.Body = digestText(n.counts)
	case n.kind == aMessage && n.count > 1:
		out.Summary = fmt.Sprintf("%d new messages", n.count)
	}
	if n.request != "" {
		out.Actions = []bus.Action{{Key: acceptKey, Label: "Accept"}, {Key: rejectKey, Label: "Reject"}}
	}
	if n.kind != aCode {
		out.Actions = append(out.Actions, bus.Action{Key: openKey, Label: "Open Contacts"})
	}
	switch n.kind {
	case aMessage:
		out.Category = "im.received"
	case aFile:
		out.Category = "transfer"
	case aCode:
		// Some desktops end what is not urgent after some seconds, and the code with it.
		out.Transient, out.Stays, out.Urgency = true, true, bus.Critical
	case aResult:
		out.Transient = true
	}
	return out
}

// noMarkup returns text of which no part is markup, whether the server reads markup
// or not. One that says it reads none and does is not led on either: then signs that
// look the same stand for those that mean something.
func noMarkup(s string, read bool) string {
	if read {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	}
	return strings.NewReplacer("&", "＆", "<", "‹", ">", "›").Replace(s)
}
