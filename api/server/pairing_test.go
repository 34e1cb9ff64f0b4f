package server

import (
	"strings"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// updates returns what a stream of ShowCode sends next.
func (u *user) updates(req *contactsv1.ShowCodeRequest) (next func() *contactsv1.ShowCodeResponse) {
	u.t.Helper()
	shown, err := u.Pairing().ShowCode(u.ctx(), req)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { shown.Close() })
	return func() *contactsv1.ShowCodeResponse {
		u.t.Helper()
		if !shown.Receive() {
			u.t.Fatal(shown.Err())
		}
		return shown.Msg()
	}
}

func (u *user) enter(code string, at *user) error {
	u.t.Helper()
	_, err := u.Pairing().EnterCode(u.ctx(), &contactsv1.EnterCodeRequest{Code: code, At: at.odid})
	return err
}

func TestLinkIsShownAndEntered(t *testing.T) {
	w := newWorld(t)
	ada, bob, eve := w.user("ada"), w.user("bob"), w.user("eve")
	next := ada.updates(&contactsv1.ShowCodeRequest{Link: true})
	c := next().GetCode()
	if !strings.HasPrefix(c.Link, "contacts:"+ada.odid+"?name=ada&addr=") || c.Code != "" || c.Digits != "" || c.ExpiresAt != nil || c.Accepts != "six_digits" || c.Why != "" {
		t.Errorf("%v", c)
	}
	if err := bob.enter(c.Link, ada); err != nil {
		t.Fatal(err)
	}
	update := next()
	if code := update.GetCode(); code != nil { // a watcher that was busy may miss the next link
		if code.Link == c.Link || code.Link == "" {
			t.Error("the used link is still shown")
		}
		update = next()
	}
	if p := update.GetPaired(); p.GetOdid() != bob.odid || p.GetTrust() != "paired" {
		t.Errorf("%v", p)
	}

	bare := ada.updates(&contactsv1.ShowCodeRequest{Link: true, NoAddresses: true})().GetCode().Link
	if strings.Contains(bare, "addr=") {
		t.Error("addresses in the link")
	}
	err := eve.enter(c.Link, ada)
	fails(t, err, "wrong_link")
	secret := c.Link[strings.Index(c.Link, "#")+1:]
	if e := client.Explain(err); strings.Contains(e.Text+e.Hint, secret) {
		t.Error("the error repeats the secret")
	}
	err = eve.enter(bare[:len(bare)-2], ada)
	fails(t, err, "bad_link")
	if e := client.Explain(err); e.Hint == "" || strings.Contains(e.Text+e.Hint, bare[len(bare)-20:len(bare)-2]) {
		t.Errorf("%q, %q", e.Text, e.Hint)
	}
}

// After three wrong codes whoever shows the code sees who tries, and lets one device
// alone pair.
func TestWaitingDevicesAndServeOnly(t *testing.T) {
	w := newWorld(t)
	ada, bob, eve := w.user("ada"), w.user("bob"), w.user("eve")
	_, err := ada.Pairing().ServeOnly(ada.ctx(), &contactsv1.ServeOnlyRequest{Odid: bob.odid})
	fails(t, err, "no_window")
	next := ada.updates(&contactsv1.ShowCodeRequest{})
	code := next().GetCode()
	wrong := "000000"
	if code.Digits == wrong {
		wrong = "000001"
	}
	for range 3 {
		fails(t, eve.enter(wrong, ada), "wrong_code")
	}
	if list := next().GetWaiting().GetDevices(); len(list) != 1 || list[0].Odid != eve.odid || list[0].WrongCodes != 3 || list[0].Name != "" || list[0].Only {
		t.Errorf("%v", list)
	}
	if _, err := ada.Pairing().ServeOnly(ada.ctx(), &contactsv1.ServeOnlyRequest{Odid: bob.odid}); err != nil {
		t.Fatal(err)
	}
	fails(t, eve.enter(code.Code, ada), "busy")
	if err := bob.enter(code.Code, ada); err != nil {
		t.Error(err)
	}
	_, err = ada.Pairing().ServeOnly(ada.ctx(), &contactsv1.ServeOnlyRequest{Odid: "bob"})
	fails(t, err, "odid_prefix")
	_, err = ada.Pairing().ServeOnly(ada.ctx(), &contactsv1.ServeOnlyRequest{Odid: ada.odid})
	fails(t, err, "self")
}
