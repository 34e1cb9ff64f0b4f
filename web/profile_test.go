package web

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/transport/memnet"
)

// formOf is a form that holds one file, and its type.
func formOf(t *testing.T, field, name string, data []byte) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile(field, name)
	if err != nil {
		t.Fatal(err)
	}
	part.Write(data)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), m.FormDataContentType()
}

func drawn(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contains reports each of the words that is missing.
func contains(t *testing.T, html string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(html, w) {
			t.Errorf("no %q in\n%s", w, html)
		}
	}
}

func TestProfileIsChanged(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	form := url.Values{"name": {" Ana "}, "bio": {"Bread,\r\nmountains"}, "skills": {"baking, , go"}, "communities": {"Choir"}}
	if status, html := ana.acts("/profile", form.Encode(), htmx()...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	got, err := ana.api.Profile().GetProfile(t.Context(), &contactsv1.GetProfileRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Profile; p.Name != "Ana" || p.Bio != "Bread,\nmountains" || strings.Join(p.Skills, "|") != "baking|go" || strings.Join(p.Communities, "|") != "Choir" {
		t.Errorf("%v", p)
	}
	_, html := ana.page("/profile")
	contains(t, html, "My profile", `value="Ana"`, "mountains</textarea>", `value="baking, go"`, "Choose a picture")
	// What can't be taken stays to be mended, and nothing of it is kept.
	form.Set("name", "Anna")
	form.Set("skills", strings.Repeat("x", 65))
	status, html := ana.acts("/profile", form.Encode(), htmx()...)
	contains(t, html, `role="alert"`, "at most 64", `value="Anna"`)
	if got, err = ana.api.Profile().GetProfile(t.Context(), &contactsv1.GetProfileRequest{}); err != nil || status != http.StatusUnprocessableEntity || got.Profile.Name != "Ana" {
		t.Errorf("%d, %v, %v", status, got, err)
	}
}

func TestPictureIsTakenAndRemoved(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	if status, _ := ana.page("/picture"); status != http.StatusNotFound {
		t.Errorf("no picture: %d", status)
	}
	body, kind := formOf(t, "picture", "me.png", drawn(t, 400, 300))
	if status, html := ana.acts("/profile/picture", body, append(htmx(), "Content-Type", kind)...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	res := ana.asks("GET", "/picture", "", "Cookie", ana.cookie)
	m, format, err := image.Decode(res.Body)
	if err != nil || res.Header.Get("Content-Type") != "image/"+format || m.Bounds().Dx() != 256 {
		t.Fatalf("%v, %v", res.Header, err)
	}
	_, html := ana.page("/profile")
	contains(t, html, `<img src="/picture?v=`, "Remove the picture")
	if status, html := ana.acts("/profile/picture/remove", "", htmx()...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	if status, _ := ana.page("/picture"); status != http.StatusNotFound {
		t.Errorf("removed: %d", status)
	}
}

func TestPictureIsRefusedInWords(t *testing.T) {
	ana := newLived(t, memnet.New(memnet.Options{}))
	for says, given := range map[string][]byte{
		"not a picture that is known":      []byte("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
		"avatar of 70000 bytes":            make([]byte, 70_000),
		"That picture is too large.":       make([]byte, maxForm+1),
		"That picture can’t be read.":      {},
		"avatar of 5000 pixels a side, at": drawn(t, 5000, 1),
	} {
		body, kind := formOf(t, "picture", "../../x.svg", given)
		status, html := ana.acts("/profile/picture", body, append(htmx(), "Content-Type", kind)...)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", says, status)
		}
		contains(t, html, says, `role="alert"`)
	}
	for _, form := range []string{"", "picture=x"} {
		status, html := ana.acts("/profile/picture", form, htmx()...)
		if contains(t, html, "No picture is chosen."); status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", form, status)
		}
	}
}

func TestContactTellsItsProfile(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	ana.pair(bob)
	if _, err := bob.api.Profile().SetProfile(t.Context(), &contactsv1.SetProfileRequest{
		Name: new("Bob"), Bio: new("I <3 bread"), Skills: &contactsv1.Words{Words: []string{"baking"}}, Avatar: drawn(t, 9, 9),
	}); err != nil {
		t.Fatal(err)
	}
	_, html := ana.page("/c/"+bob.odid+"/profile", htmx()...)
	contains(t, html, "I &lt;3 bread", "baking", `<img src="/picture/`+bob.odid, "proves nothing")
	if res := ana.asks("GET", "/picture/"+bob.odid, "", "Cookie", ana.cookie); res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "image/png" {
		t.Errorf("%s, %v", res.Status, res.Header)
	}
}

func TestAddFromProfileKeepsTheSource(t *testing.T) {
	net := memnet.New(memnet.Options{})
	ana, bob := newLived(t, net), newLived(t, net)
	if _, err := bob.api.Profile().SetProfile(t.Context(), &contactsv1.SetProfileRequest{Name: new("Bob")}); err != nil {
		t.Fatal(err)
	}
	_, html := ana.page("/look?odid=" + bob.odid)
	contains(t, html, "Bob", "This proves nothing.", `name="source" value="profile"`, `value="`+bob.odid+`"`)
	if status, html := ana.acts("/add", "source=profile&odid="+bob.odid, htmx()...); status != http.StatusNoContent {
		t.Fatal(status, html)
	}
	got, err := ana.api.Contacts().GetContact(t.Context(), &contactsv1.GetContactRequest{Contact: bob.odid})
	if err != nil || got.Contact.Source != "profile" {
		t.Errorf("%v, %v", got, err)
	}
	_, html = ana.page("/look?odid=" + bob.odid)
	contains(t, html, "Write to")
	status, html := ana.page("/look?odid=odid1x")
	if contains(t, html, `role="alert"`, "Add by ODID"); status != http.StatusUnprocessableEntity || strings.Contains(html, `name="source"`) {
		t.Errorf("%d\n%s", status, html)
	}
	if res := ana.asks("GET", "/look?odid="+ana.odid, "", "Cookie", ana.cookie); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/profile" {
		t.Errorf("its own: %s, %v", res.Status, res.Header)
	}
}
