package web

import (
	"net/http"
	"strings"

	"contactsd/client"
)

// fault is what went wrong, in the words of the page: no commands, no flags.
type fault struct {
	Text string
	Hint string
}

// faultOf returns nil for nil.
func faultOf(err error) *fault {
	if err == nil {
		return nil
	}
	e := client.Explain(err)
	if f, ok := reworded(e.Reason); ok {
		return &f
	}
	f := fault{Text: e.Text, Hint: e.Hint}
	if strings.Contains(f.Hint, "contactsctl") || strings.Contains(f.Hint, "--") {
		f.Hint = "" // advice for a terminal
	}
	return &f
}

// reworded says what the API says for a terminal.
func reworded(reason string) (fault, bool) {
	switch reason {
	case "wrong_code":
		return fault{"That code is wrong or has expired.", "Enter the one that the other device shows now."}, true
	case "bad_code":
		return fault{"That is not a code.", "A code has 6 digits, like 482-193, or 9. A link begins with contacts:"}, true
	case "bad_link":
		return fault{"That is not a whole link.", "Copy all of it, from contacts: to its end."}, true
	case "wrong_link":
		return fault{"This link is not accepted, or no longer.", "A link pairs once, while it is shown. Ask for another one."}, true
	case "nobody":
		return fault{"No device on this network shows a code.", "Press “Show my code” on the other device and keep it open. Not on the same network? Ask for a link, or tell where the device is."}, true
	case "no_window":
		return fault{"The other device shows no code.", "Press “Show my code” there and keep it open."}, true
	case "many_devices":
		return fault{"Several devices on this network show a code.", "Tell which one: put its ODID or address below the code."}, true
	case "busy":
		return fault{"The other device is busy pairing.", "Try again in a moment."}, true
	case "peer_unreachable":
		return fault{"The other device can’t be reached.", "See that it is on, and on a network that reaches this one."}, true
	case "self":
		return fault{"That is this device.", "Take the code or ODID of the other one."}, true
	case "blocked":
		return fault{"You have blocked this device.", "Unblock it first, under Blocked."}, true
	case "no_contact":
		return fault{"There is no such contact any more.", ""}, true
	case "no_profile", "private_profile":
		return fault{"They show no profile.", ""}, true
	case "asked_too_often":
		return fault{"Their device was asked too often.", "Try again in a minute."}, true
	case "window_lapsed":
		return fault{"Nobody looked at the code for a while.", "Show another one."}, true
	case "daemon_unreachable", "stopping":
		return fault{"Contacts has stopped on this computer.", "Start it again, then open this page anew."}, true
	}
	return fault{}, false
}

// status is that of a page that shows what went wrong.
func status(err error) int {
	switch client.Reason(err) {
	case "":
		return http.StatusOK
	case "no_contact", "no_message":
		return http.StatusNotFound
	case "daemon_unreachable", "stopping":
		return http.StatusBadGateway
	}
	return http.StatusUnprocessableEntity
}

// failed shows an error as a screen of its own.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	s.screen(w, r, status(err), "failed", "Something went wrong", faultOf(err))
}
