package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// ledger is what a user of one device knows about messages to one contact: what
// was handed to the API, what the API accepted, and what it called delivered.
// It lives outside of both daemons and so outlives them.
type ledger struct {
	mu        sync.Mutex
	next      []int             // number of the next message, by lane
	texts     map[string]string // by id, of everything the API was asked to send
	accepted  []string          // ids, in the order in which the API said so
	delivered map[string]bool   // ids that an event called delivered
}

func newLedger(lanes int) *ledger {
	return &ledger{next: make([]int, lanes), texts: make(map[string]string), delivered: make(map[string]bool)}
}

// textSize is about that of the messages of a load: most are short, some not.
func textSize(number int) int {
	if number%16 == 0 {
		return 4096
	}
	return 128
}

// compose notes the next message of a lane before it is sent.
func (l *ledger) compose(id string, lane int) (text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.next[lane]
	l.next[lane]++
	text = fmt.Sprintf("%d %d ", lane, n)
	text += strings.Repeat("x", textSize(n)-len(text))
	l.texts[id] = text
	return text
}

func (l *ledger) accept(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = append(l.accepted, id)
}

// deliver notes an event.
func (l *ledger) deliver(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delivered[id] = true
}

// under returns how many messages were handed to the API and are not accepted.
func (l *ledger) under() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.texts) - len(l.accepted)
}

// known is what a ledger says at one moment.
type known struct {
	accepted  []string
	delivered []string
}

func (l *ledger) know() known {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := known{accepted: append([]string(nil), l.accepted...), delivered: make([]string, 0, len(l.delivered))}
	for id := range l.delivered {
		k.delivered = append(k.delivered, id)
	}
	return k
}

// item is a message as a store holds it.
type item struct {
	id, text, state string
}

// holds returns an error unless history holds each of ids.
func holds(ids []string, history []item) error {
	have := make(map[string]bool, len(history))
	for _, m := range history {
		have[m.id] = true
	}
	missing := 0
	first := ""
	for _, id := range ids {
		if !have[id] {
			if missing++; first == "" {
				first = id
			}
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d are missing, the first is %s", missing, len(ids), first)
	}
	return nil
}

// faithful returns an error unless history, the receiver's, is one that may be:
// nothing in it twice, nothing that was not sent, nothing changed, and of each
// lane the messages one after the other, from the first.
func (l *ledger) faithful(history []item) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[string]bool, len(history))
	next := make([]int, len(l.next))
	var errs []error
	for i, m := range history {
		text, sent := l.texts[m.id]
		switch {
		case seen[m.id]:
			errs = append(errs, fmt.Errorf("%s is there twice, again as number %d", m.id, i))
		case !sent:
			errs = append(errs, fmt.Errorf("%s (%.20q, %s) was never sent", m.id, m.text, m.state))
		case text != m.text:
			errs = append(errs, fmt.Errorf("%s reads %.20q, sent was %.20q", m.id, m.text, text))
		default:
			var lane, number int
			if _, err := fmt.Sscanf(m.text, "%d %d ", &lane, &number); err != nil || lane >= len(next) {
				errs = append(errs, fmt.Errorf("%s reads %.20q", m.id, m.text))
				continue
			}
			if number != next[lane] {
				errs = append(errs, fmt.Errorf("lane %d: number %d where %d is due", lane, number, next[lane]))
			}
			next[lane] = number + 1
		}
		seen[m.id] = true
		if len(errs) > 5 {
			break
		}
	}
	return errors.Join(errs...)
}

// settled returns an error unless everything that was accepted has arrived, and
// both sides hold the same messages in the same order.
func (l *ledger) settled(sender, receiver []item) error {
	if len(sender) < len(receiver) {
		return errors.Join(l.settledBefore(sender, receiver),
			fmt.Errorf("the sender has %d messages, the receiver %d", len(sender), len(receiver)))
	}
	return l.settledBefore(sender, receiver)
}

// settledBefore is settled for a sender that was restored from a copy, and so
// does not hold all that it sent.
func (l *ledger) settledBefore(sender, receiver []item) error {
	if err := l.faithful(receiver); err != nil {
		return err
	}
	if err := holds(l.know().accepted, receiver); err != nil {
		return fmt.Errorf("accepted, but not at the receiver: %w", err)
	}
	at := 0
	for i, m := range sender {
		for at < len(receiver) && receiver[at].id != m.id {
			at++
		}
		if at == len(receiver) {
			return fmt.Errorf("%s, place %d of the sender, is not at the receiver, or not in that order", m.id, i)
		}
		if m.state != "delivered" {
			return fmt.Errorf("%s has arrived and is %s at its sender", m.id, m.state)
		}
	}
	return nil
}
