package server

import (
	"fmt"
	"testing"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// TestCreditsRunOut: each ask costs its price, the charges are paged, and the one
// that is too much is refused with when and how many.
func TestCreditsRunOut(t *testing.T) {
	w := newWorld(t)
	ana, bob := w.user("ana"), w.user("bob")
	ask := func(i int) error {
		_, err := ana.Contacts().AddContact(ana.ctx(), &contactsv1.AddContactRequest{Odid: bob.odid, Wording: fmt.Sprintf("ask %d", i)})
		return err
	}
	for i := range 10 {
		if err := ask(i); err != nil {
			t.Fatal(err)
		}
	}
	err := ask(10)
	if e := client.Explain(err); e == nil || client.Reason(err) != "credits_exhausted" {
		t.Errorf("%v", err)
	}
	c, err := ana.Credits().GetCredits(ana.ctx(), &contactsv1.GetCreditsRequest{})
	if err != nil || c.Balance != 0 || c.Daily != 30 || c.RefillAt == nil || c.Standing != "new" || c.Untrusted != 1 || len(c.Prices) != 5 {
		t.Errorf("%v, %v", c, err)
	}
	var all []*contactsv1.Charge
	req := &contactsv1.ListChargesRequest{PageSize: 4}
	for pages := 1; ; pages++ {
		r, err := ana.Credits().ListCharges(ana.ctx(), req)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Charges...)
		if req.PageToken = r.NextPageToken; req.PageToken == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if len(all) != 10 || all[0].Act != "ask" || all[0].Credits != 3 || all[0].Odid != bob.odid {
		t.Errorf("%v", all)
	}
	req.PageToken = "x"
	if _, err := ana.Credits().ListCharges(ana.ctx(), req); client.Reason(err) != "invalid" {
		t.Errorf("a bad token: %v", err)
	}
}
