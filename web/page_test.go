package web

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/identity"
	"contactsd/transport/memnet"
)

// htmx is what a request of htmx has.
func htmx() []string { return []string{"HX-Request", "true", "HX-Request-Type", "partial"} }

func TestEveryScreenIsAPageAndAPart(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	if _, err := ana.api.Messages().SendMessage(t.Context(), &contactsv1.SendMessageRequest{Contact: bob.odid, Text: "hello"}); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"/":                             "Choose somebody",
		"/pair":                         "Show my code",
		"/c/" + bob.odid:                "hello",
		"/c/" + bob.odid + "/about":     "You two paired",
		"/blocked":                      "Nobody is blocked",
		"/settings":                     "How this device behaves",
		"/groups":                       "There are no groups yet",
		"/files":                        "No files yet",
		"/profile":                      "My profile",
		"/look?odid=" + bob.odid:        "This proves nothing",
		"/requests":                     "No requests wait",
		"/nothing":                      "There is nothing here",
		"/c/odid1nobody":                "did not work",
		"/c/" + ana.odid + "/about?x=1": "did not work",
	} {
		_, whole := ana.page(path)
		if !strings.Contains(whole, says) || !strings.HasPrefix(whole, "<!doctype html>") || !strings.HasSuffix(whole, "</html>\n") {
			t.Errorf("%s says\n%s", path, whole)
		}
		_, part := ana.page(path, htmx()...)
		if !strings.Contains(part, says) || !strings.HasPrefix(part, "<title>") || strings.Contains(part, "<html") {
			t.Errorf("%s as a part says\n%s", path, part)
		}
	}
	for path, says := range map[string]string{
		"/me":                            "My profile",
		"/list":                          `id="c-` + bob.odid + `"`,
		"/list?q=nobody":                 "Nobody is called",
		"/list?q=trust:paired":           `id="c-` + bob.odid + `"`,
		"/list?only=trust:paired":        `id="c-` + bob.odid + `"`,
		"/list?only=trust:untrusted":     "Nobody is among those that are chosen.",
		"/list?only=trust:paired&q=x":    "among those that are chosen",
		"/only":                          "Everyone",
		"/code/open":                     `hx-sse:connect="/code"`,
		"/code/open?link=1":              `hx-sse:connect="/code?link=1"`,
		"/code/hide":                     "Show my code",
		"/c/" + bob.odid + "/head":       "<h1",
		"/c/" + bob.odid + "/log?n=1":    "hello",
		"/c/" + bob.odid + "/state":      "Permissions",
		"/c/" + bob.odid + "/check":      "You have each other as contacts.",
		"/c/" + bob.odid + "/older":      "hello",
		"/c/" + bob.odid + "/log?n=9999": "hello",
	} {
		if status, part := ana.page(path, htmx()...); status != http.StatusOK || !strings.Contains(part, says) {
			t.Errorf("%s: %d\n%s", path, status, part)
		}
	}
}

func TestFirstScreenTeaches(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	_, html := ana.page("/")
	for _, words := range []string{"Who is your first contact?", "Show my code", "Enter a code", "No contacts yet"} {
		if !strings.Contains(html, words) {
			t.Errorf("no %q", words)
		}
	}
}

// TestHostileTextStaysText: names, remarks, presence and messages come from others.
func TestHostileTextStaysText(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	evil := `"><script>alert(1)</script><img src=x onerror=y><hx-partial>'`
	if _, err := bob.api.Profile().SetProfile(t.Context(), &contactsv1.SetProfileRequest{
		Name: new(evil[:60]), Bio: &evil, Skills: &contactsv1.Words{Words: []string{evil[:60]}}, Communities: &contactsv1.Words{Words: []string{evil[:60]}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.api.Presence().SetPresence(t.Context(), &contactsv1.SetPresenceRequest{State: "busy", Text: evil}); err != nil {
		t.Fatal(err)
	}
	ana.pair(bob)
	if status, html := ana.acts("/c/"+bob.odid+"/remark", "remark="+url.QueryEscape(evil), htmx()...); status != http.StatusOK {
		t.Fatal(status, html)
	}
	if status, html := ana.acts("/c/"+bob.odid+"/send", url.Values{"text": {evil}}.Encode(), htmx()...); status != http.StatusOK {
		t.Fatal(status, html)
	}
	for _, path := range []string{"/", "/c/" + bob.odid, "/c/" + bob.odid + "/about", "/list?q=" + url.QueryEscape(evil), "/pair", "/settings", "/c/" + bob.odid + "/profile", "/look?odid=" + bob.odid, "/look?odid=" + url.QueryEscape(evil)} {
		_, html := ana.page(path)
		for _, alive := range []string{"<script>", "<img", "<hx-partial>", `"><script`, "onerror=y>"} {
			if strings.Contains(html, alive) {
				t.Errorf("%s: %s is alive", path, alive)
			}
		}
	}
	if _, html := ana.page("/c/" + bob.odid); !strings.Contains(html, "&lt;script&gt;alert(1)") {
		t.Error("the message is not there, so nothing was looked at")
	}
}

func TestActsAndTheirFaults(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	chat := "/c/" + bob.odid
	stranger, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range []struct {
		path, form string
		status     int
		says       string
	}{
		{"/presence", "state=busy&text=in+a+meeting", http.StatusNoContent, ""},
		{"/presence", "state=dancing", http.StatusUnprocessableEntity, "dancing"},
		{"/profile", "name=Ana", http.StatusNoContent, ""},
		{"/profile", "name=" + strings.Repeat("x", 65), http.StatusUnprocessableEntity, "name of 65 bytes, at most 64"},
		{"/settings/set", "name=gossip&value=off", http.StatusNoContent, ""},
		{"/settings/set", "name=gossip&value=perhaps", http.StatusUnprocessableEntity, "perhaps"},
		{"/pair", "code=12", http.StatusUnprocessableEntity, "That is not a code."},
		{"/add", "odid=odid1x", http.StatusUnprocessableEntity, "ODID"},
		{"/add", "odid=" + ana.odid, http.StatusUnprocessableEntity, "That is this device."},
		{"/add", "odid=" + stranger.Self().String() + "&remark=Carla&one_way=on", http.StatusNoContent, ""},
		{chat + "/send", "text=", http.StatusUnprocessableEntity, "message: empty"},
		{chat + "/send", "text=" + strings.Repeat("x", 64<<10+1), http.StatusUnprocessableEntity, "at most 65536"},
		{chat + "/send", "text=hi&id=nonsense", http.StatusUnprocessableEntity, "id"},
		{chat + "/cancel", "id=nonsense", http.StatusUnprocessableEntity, "did not work"},
		{chat + "/remark", "remark=" + strings.Repeat("x", 97), http.StatusUnprocessableEntity, "remark of 97 bytes, at most 96"},
		{chat + "/narrow", "permission=status", http.StatusNoContent, ""},
		{chat + "/narrow", "permission=everything", http.StatusUnprocessableEntity, "everything"},
		{"/groups", "group=Family", http.StatusNoContent, ""},
		{"/groups", "group=" + strings.Repeat("x", 31), http.StatusUnprocessableEntity, "at most 30"},
		{"/groups/rename", "group=Family&to=Kin", http.StatusNoContent, ""},
		{"/groups/rename", "group=Nobody&to=Kin", http.StatusUnprocessableEntity, "fault"},
		{chat + "/groups", "group=Kin", http.StatusNoContent, ""},
		{chat + "/groups", "group=Nobody", http.StatusUnprocessableEntity, "did not work"},
		{"/groups/delete", "group=Kin", http.StatusNoContent, ""},
		{"/groups/delete", "group=Kin", http.StatusUnprocessableEntity, "fault"},
		{chat + "/field", "key=birthday&value=3+May", http.StatusNoContent, ""},
		{chat + "/field", "key=not+a+key&value=x", http.StatusUnprocessableEntity, "did not work"},
		{chat + "/field", "key=birthday&delete=yes", http.StatusNoContent, ""},
		{chat + "/file", "path=nowhere", http.StatusUnprocessableEntity, "fault"},
		{"/file/nonsense/accept", "", http.StatusUnprocessableEntity, "fault"},
		{"/file/nonsense/dance", "", http.StatusNotFound, "nothing here"},
		{"/requests", "answer=accept", http.StatusUnprocessableEntity, "No request is chosen."},
		{"/requests", "answer=accept&id=nothing", http.StatusUnprocessableEntity, "fault"},
		{"/requests/cancel", "odid=nobody", http.StatusUnprocessableEntity, "fault"},
		{chat + "/ask", "permission=video&wording=", http.StatusUnprocessableEntity, "did not work"},
		{chat + "/ask", "permission=video&wording=please", http.StatusNoContent, ""},
		{"/requests/cancel", "odid=" + bob.odid, http.StatusNoContent, ""},
		{"/only", "odid=" + bob.odid, http.StatusUnprocessableEntity, "shows no code"},
		{chat + "/block", "", http.StatusNoContent, ""},
		{chat + "/send", "text=hi", http.StatusUnprocessableEntity, "You have blocked this device."},
		{"/unblock", "odid=" + bob.odid, http.StatusNoContent, ""},
		{"/unblock", "odid=nobody", http.StatusUnprocessableEntity, "did not work"},
		{chat + "/remove", "both=on", http.StatusNoContent, ""},
		{chat + "/send", "text=hi", http.StatusUnprocessableEntity, ""},
	} {
		status, html := ana.acts(act.path, act.form, htmx()...)
		if status != act.status || !strings.Contains(html, act.says) {
			t.Errorf("%s %.60s: %d\n%s", act.path, act.form, status, html)
		}
		_, why, _ := strings.Cut(html, `class="fault"`)
		why, _, _ = strings.Cut(why, "</div>")
		if strings.Contains(why, "contactsctl") {
			t.Errorf("%s: speaks of a terminal: %s", act.path, why)
		}
	}
	// A browser without htmx goes on to a page.
	if status, _ := ana.acts("/profile", "name=Ana"); status != http.StatusSeeOther {
		t.Errorf("without htmx: %d", status)
	}
}

// TestRequestWaitsForTheUsersWord is one request as both pages show it.
func TestRequestWaitsForTheUsersWord(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	events := bob.events("/live")
	await(t, events, "sync: ")
	form := url.Values{"odid": {bob.odid}, "remark": {"Bob"}, "wording": {"It's Ana <3"}}.Encode()
	if status, html := ana.acts("/add", form, htmx()...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	if _, html := ana.page("/requests"); !strings.Contains(html, "What you asked") || !strings.Contains(html, "Bob") {
		t.Error(html)
	}
	await(t, events, "requests: ")
	if _, html := bob.page("/badge", htmx()...); !strings.Contains(html, ">1<") {
		t.Errorf("the badge says %q", html)
	}
	_, html := bob.page("/requests")
	for _, words := range []string{"It&#39;s Ana &lt;3", "Send messages", "Wants to be a contact who may"} {
		if !strings.Contains(html, words) {
			t.Errorf("no %q in\n%s", words, html)
		}
	}
	_, id, _ := strings.Cut(html, `id="r-`)
	id, _, _ = strings.Cut(id, `"`)
	if status, html := bob.acts("/requests", "answer=accept&permission=messages&id="+url.QueryEscape(id), htmx()...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	if _, html := bob.page("/badge", htmx()...); html != "" {
		t.Errorf("with nothing waiting the badge says %q", html)
	}
	if _, html := bob.page("/list"); !strings.Contains(html, `id="c-`+ana.odid) {
		t.Error("who was accepted is not on the list")
	}
}

// TestRequestForTheCardSaysSo: who accepts it sees what is given.
func TestRequestForTheCardSaysSo(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	events := bob.events("/live")
	await(t, events, "sync: ")
	if _, err := ana.api.Cards().AskCard(t.Context(), &contactsv1.AskCardRequest{Contact: bob.odid, Wording: "Your number?"}); err != nil {
		t.Fatal(err)
	}
	await(t, events, "requests: ")
	if _, html := bob.page("/requests"); !strings.Contains(html, "Wants your contact card,") || strings.Contains(html, "<fieldset>") {
		t.Error(html)
	}
	if _, html := ana.page("/requests"); !strings.Contains(html, "Their contact card") {
		t.Error(html)
	}
	if status, html := ana.acts("/requests/cancel", "kind=card&odid="+bob.odid, htmx()...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
}

// TestFileIsOfferedAndReceived is one transfer as both pages show it.
func TestFileIsOfferedAndReceived(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	events := bob.events("/live")
	await(t, events, "sync: ")
	path := filepath.Join(t.TempDir(), "bread & butter.txt")
	if err := os.WriteFile(path, []byte("flour"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, html := ana.acts("/c/"+bob.odid+"/file", "path="+url.QueryEscape(path), htmx()...); status != http.StatusOK || !strings.Contains(html, "Offered.") {
		t.Fatal(status, html)
	}
	await(t, events, "files: ")
	got, err := bob.api.Files().ListFiles(t.Context(), &contactsv1.ListFilesRequest{})
	if err != nil || len(got.Files) != 1 {
		t.Fatal(got, err)
	}
	id := got.Files[0].Id
	_, html := bob.page("/files")
	for _, words := range []string{"bread &amp; butter.txt", "Offered to you", "Accept", "Reject"} {
		if !strings.Contains(html, words) {
			t.Errorf("no %q in\n%s", words, html)
		}
	}
	if _, html := bob.page("/c/" + ana.odid); !strings.Contains(html, `hx-get="/file/`+id+`"`) {
		t.Error("the offer is not in the chat")
	}
	folder := t.TempDir()
	if _, err := bob.api.Files().AcceptFile(t.Context(), &contactsv1.AcceptFileRequest{Id: id, Folder: folder}); err != nil {
		t.Fatal(err)
	}
	for { // each change is a reason to look again
		await(t, events, "file-"+id+": ")
		if _, html := bob.page("/file/"+id, htmx()...); strings.Contains(html, "Received") {
			break
		}
	}
}

func TestSendingTwiceSendsOnce(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	_, html := ana.page("/c/" + bob.odid)
	_, id, _ := strings.Cut(html, `name="id" value="`)
	id, _, _ = strings.Cut(id, `"`)
	for range 2 {
		if status, html := ana.acts("/c/"+bob.odid+"/send", "text=once&id="+id, htmx()...); status != http.StatusOK {
			t.Fatal(status, html)
		}
	}
	got, err := ana.api.Messages().ListMessages(t.Context(), &contactsv1.ListMessagesRequest{Contact: bob.odid})
	if err != nil || len(got.Messages) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// events reads a stream of the page and hands on each event as "name: data".
func (l *lived) events(path string) <-chan string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+l.host+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Cookie", l.cookie)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		l.t.Fatalf("%s: %s, %s", path, res.Status, got)
	}
	out := make(chan string, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		var name string
		var data []string
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			switch line := lines.Text(); {
			case line == "":
				out <- name + ": " + strings.Join(data, "\n")
				name, data = "", nil
			case strings.HasPrefix(line, "event: "):
				name = line[len("event: "):]
			case strings.HasPrefix(line, "data: "):
				data = append(data, line[len("data: "):])
			}
		}
	}()
	l.t.Cleanup(func() { cancel(); res.Body.Close(); <-done })
	return out
}

// await reads events until one says what is awaited.
func await(t *testing.T, events <-chan string, says string) string {
	t.Helper()
	var seen []string
	for e := range events {
		if strings.Contains(e, says) {
			return e
		}
		seen = append(seen, e)
	}
	t.Fatalf("no event says %q, but\n%s", says, strings.Join(seen, "\n"))
	return ""
}

func TestStreamTellsWhatChanged(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	events := ana.events("/live")
	await(t, events, "sync: ")
	ana.pair(bob)
	await(t, events, "contacts: ")
	if _, err := bob.api.Presence().SetPresence(t.Context(), &contactsv1.SetPresenceRequest{State: "busy", Text: "baking"}); err != nil {
		t.Fatal(err)
	}
	row := await(t, events, "baking")
	if !strings.HasPrefix(row, `: <hx-partial hx-target="#c-`+bob.odid+`"`) {
		t.Error(row)
	}
	if _, err := bob.api.Messages().SendMessage(t.Context(), &contactsv1.SendMessageRequest{Contact: ana.odid, Text: "secret"}); err != nil {
		t.Fatal(err)
	}
	await(t, events, "message-"+bob.odid+": ")
	if _, err := ana.api.Profile().SetProfile(t.Context(), &contactsv1.SetProfileRequest{Name: new("Ana")}); err != nil {
		t.Fatal(err)
	}
	await(t, events, "me: ")
	if status, _ := ana.acts("/logout", ""); status != http.StatusSeeOther {
		t.Error(status)
	}
	for range events { // ends with the session
	}
}

func TestCodeIsShownWhileSomebodyLooks(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	events := ana.events("/code")
	shown := await(t, events, `class="ring"`)
	_, code, _ := strings.Cut(shown, `<strong class="digits"`)
	_, code, _ = strings.Cut(code, ">")
	code, _, _ = strings.Cut(code, "<")
	status, html := bob.acts("/pair", "code="+code, htmx()...)
	if status != http.StatusOK || !strings.Contains(html, "is now a trusted contact") {
		t.Fatal(status, html)
	}
	await(t, events, "is now a trusted contact")
	await(t, events, "done: ") // or the browser would come back, and open the window again
}

func TestLinkIsShownWithAQRCode(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	shown := await(t, ana.events("/code?link=1"), "contacts:odid1")
	if !strings.Contains(shown, `<svg class="qr" role="img"`) || !strings.Contains(shown, "h1v1h-1z") {
		t.Error(shown)
	}
	if drawQR("") != "" || drawQR(strings.Repeat("x", 10_000)) != "" {
		t.Error("a QR code of nothing, or of too much")
	}
}

// TestGroupsAreAFilter: whatever a group is called, it can be chosen.
func TestGroupsAreAFilter(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob, carla := newLived(t, net), newLived(t, net), newLived(t, net)
	ana.pair(bob)
	ana.pair(carla)
	for _, name := range []string{"Family", `a "b" \c`, "<b>"} {
		if _, err := ana.api.Groups().CreateGroup(t.Context(), &contactsv1.CreateGroupRequest{Group: name}); err != nil {
			t.Fatal(err)
		}
		if status, html := ana.acts("/c/"+bob.odid+"/groups", "group="+url.QueryEscape(name)); status != http.StatusSeeOther {
			t.Fatal(status, html)
		}
		term := groupTerm(name)
		_, html := ana.page("/list?only=" + url.QueryEscape(term))
		if !strings.Contains(html, bob.odid) || strings.Contains(html, carla.odid) {
			t.Errorf("%s: %s", term, html)
		}
		_, html = ana.page("/only?only=" + url.QueryEscape(term))
		if strings.Count(html, " selected>") != 1 || strings.Contains(html, "<b>") {
			t.Error(html)
		}
	}
}
