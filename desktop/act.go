package desktop

import (
	"context"
	"fmt"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// acts are what the user can ask for, as calls of the daemon. What they return is to
// be shown; a notice without a key is nothing to show.

func (t *Tray) setPresence(ctx context.Context, to, text string) notice {
	_, err := t.cfg.Client.Presence().SetPresence(ctx, &contactsv1.SetPresenceRequest{State: to, Text: text})
	return failed("Presence was not set", err)
}

// answer answers a request by the id that was shown, and with that exactly what was
// shown: a request that was changed has another one.
func (t *Tray) answer(ctx context.Context, id, answer string) notice {
	r, err := t.cfg.Client.Requests().AnswerRequests(ctx, &contactsv1.AnswerRequestsRequest{Requests: []string{id}, Answer: answer})
	if err != nil {
		return failed("The request was not answered", err)
	}
	for _, one := range r.Results {
		if !one.Ok {
			return resultShown("The request was not answered", one.Error)
		}
	}
	return notice{}
}

// open lets the browser into the page.
func (t *Tray) open(ctx context.Context) notice {
	login, err := t.cfg.Client.Page().OpenPage(ctx, &contactsv1.OpenPageRequest{File: true})
	if err == nil {
		err = t.cfg.Open(ctx, login.File)
	}
	return failed("The page can't be opened", err)
}

// showCode shows this device's code, and each that takes its place, until somebody
// has paired by it or ctx ends.
func (t *Tray) showCode(ctx context.Context) notice {
	stream, err := t.cfg.Client.Pairing().ShowCode(ctx, &contactsv1.ShowCodeRequest{})
	if err != nil {
		return failed("No code can be shown", err)
	}
	defer stream.Close()
	shown := ""
	for stream.Receive() {
		c := stream.Msg().GetCode()
		if c == nil || c.Code == shown && shown != "" {
			continue // it is told again when who may pair changes
		}
		shown = c.Code
		n := codeShown(c)
		t.tell(ctx, update{notice: &n})
	}
	if ctx.Err() != nil {
		return notice{} // it is not to be seen any more, or another one stands there
	}
	t.tell(ctx, update{over: codeNotice})
	return failed("The code is gone", stream.Err())
}

// failed tells what went wrong, if something did.
func failed(what string, err error) notice {
	if err == nil {
		return notice{}
	}
	e := client.Explain(err)
	if e.Hint != "" {
		return resultShown(what, fmt.Sprintf("%s (%s)", e.Text, e.Hint))
	}
	return resultShown(what, e.Text)
}
