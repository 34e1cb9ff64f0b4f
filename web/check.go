package web

import (
	"net/http"

	contactsv1 "contactsd/api/contacts/v1"
)

// checkView says whether two devices have each other, and how that is known.
type checkView struct {
	Check *contactsv1.Check
	Fault *fault
}

// check asks the other device now.
func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Checks().CheckContacts(r.Context(), &contactsv1.CheckContactsRequest{
		Contacts: []string{r.PathValue("odid")}, Both: true, Live: true,
	})
	if err != nil {
		s.part(w, status(err), "check", checkView{Fault: faultOf(err)})
		return
	}
	for _, one := range got.Results {
		if !one.Ok {
			s.part(w, http.StatusUnprocessableEntity, "check", checkView{Fault: &fault{Text: one.Error}})
			return
		}
		s.part(w, http.StatusOK, "check", checkView{Check: one})
	}
}

// checkWord says what a check found.
func checkWord(result string) string {
	switch result {
	case "both_way":
		return "You have each other as contacts."
	case "a_with_b":
		return "You have them as a contact, and they don’t have you."
	case "b_with_a":
		return "They have you as a contact, and you don’t have them."
	case "no_relation":
		return "Neither of you has the other."
	}
	return "It is not known whether they have you."
}

// checkSource says how that is known.
func checkSource(source string) string {
	switch source {
	case "live":
		return "Their device said so just now"
	case "receipt":
		return "That is what their device said last"
	case "own":
		return "That is what your own list says"
	}
	return "Their device can’t be asked now, or does not tell"
}
