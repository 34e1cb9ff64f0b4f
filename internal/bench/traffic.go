package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/message"
)

// presence measures from setting a state to a watcher of the other device seeing it.
func (b *bench) presence(ctx context.Context) ([]row, error) {
	ana, bob, stop, err := b.paired(ctx, "presence")
	if err != nil {
		return nil, err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	watch, err := bob.Presence().WatchPresence(ctx, &contactsv1.WatchPresenceRequest{})
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	see := func(text string) error {
		for watch.Receive() {
			if watch.Msg().GetPresence().GetText() == text {
				return nil
			}
		}
		return fmt.Errorf("waiting for presence %q: %w", text, watch.Err())
	}
	var times, floor []time.Duration
	for i := range b.runs {
		text := fmt.Sprintf("state %d", i)
		began := time.Now()
		if _, err := ana.Presence().SetPresence(ctx, &contactsv1.SetPresenceRequest{State: "busy", Text: text}); err != nil {
			return nil, err
		}
		if err := see(text); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
		began = time.Now()
		if _, err := ana.Status(ctx); err != nil {
			return nil, err
		}
		floor = append(floor, time.Since(began))
		time.Sleep(1200 * time.Millisecond) // at most one change a second is sent
	}
	return []row{compare("presence set until seen by the other", median(times), "ms", "one local call", median(floor))}, nil
}

// messages measures through the socket: one message until the sender is told that
// the other device has it, and many at once.
func (b *bench) messages(ctx context.Context) ([]row, error) {
	ana, bob, stop, err := b.paired(ctx, "messages")
	if err != nil {
		return nil, err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	watch, err := ana.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	delivered := func(n int) error {
		for n > 0 && watch.Receive() {
			if e := watch.Msg().GetEvent(); e.GetType() == string(contact.MessageState) && e.GetState() == message.Delivered.String() {
				n--
			}
		}
		if n > 0 {
			return fmt.Errorf("waiting for %d messages to arrive: %w", n, watch.Err())
		}
		return nil
	}
	commit, err := b.commit()
	if err != nil {
		return nil, err
	}
	text := strings.Repeat("m", bodySize)
	var single []time.Duration
	for range 10 * b.runs {
		began := time.Now()
		if _, err := ana.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: bob.ODID, Text: text}); err != nil {
			return nil, err
		}
		if err := delivered(1); err != nil {
			return nil, err
		}
		single = append(single, time.Since(began))
	}
	const batch, batches = 512, 16
	many := &contactsv1.SendManyRequest{}
	for range batch {
		many.Messages = append(many.Messages, &contactsv1.SendMessageRequest{Contact: bob.ODID, Text: text})
	}
	var rates []float64
	for range b.runs {
		began := time.Now()
		sent := make(chan error, 1)
		go func() {
			for range batches {
				if _, err := ana.Messages().SendMany(ctx, many); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		err := delivered(batch * batches)
		if sendErr := <-sent; sendErr != nil {
			return nil, sendErr
		}
		if err != nil {
			return nil, err
		}
		rates = append(rates, batch*batches/time.Since(began).Seconds())
	}
	return []row{
		compare("message of 1 KiB through the socket, sent until acknowledged", median(single), "ms", "four commits", 4*commit),
		compare("messages of 1 KiB through SendMany, until acknowledged", middle(rates), "/s", "half of the aim without the API", 12_500),
	}, nil
}
