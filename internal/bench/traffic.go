package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/devices"
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

// messages measures one message until it is acknowledged, and a crowd of them.
func (b *bench) messages(ctx context.Context) ([]row, error) {
	ana, bob, stop, err := b.paired(ctx, "messages")
	if err != nil {
		return nil, err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var single []time.Duration
	for range b.runs {
		began := time.Now()
		if err := send(ctx, ana, bob, 1); err != nil {
			return nil, err
		}
		single = append(single, time.Since(began))
	}
	const crowd = 5000
	began := time.Now()
	if err := send(ctx, ana, bob, crowd); err != nil {
		return nil, err
	}
	rate := crowd / time.Since(began).Seconds()
	return []row{
		compare("message sent until acknowledged", median(single), "ms", "four commits of 0.38 ms", 4*0.38),
		compare("messages sent and acknowledged, 32 callers", rate, "/s", "least rate of a healthy queue", 100),
	}, nil
}

// send sends n messages from 32 callers and waits until the last is delivered.
func send(ctx context.Context, from, to *devices.Device, n int) error {
	var mu sync.Mutex
	var failure error
	var callers sync.WaitGroup
	queue := make(chan int)
	for range min(n, 32) {
		callers.Go(func() {
			for i := range queue {
				_, err := from.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: to.ODID, Text: fmt.Sprint("message ", i)})
				mu.Lock()
				if err != nil && failure == nil {
					failure = err
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	callers.Wait()
	if failure != nil {
		return failure
	}
	return devices.Until(ctx, "the outbox to be empty", func() (bool, error) {
		status, err := from.Status(ctx)
		if err != nil {
			return false, err
		}
		return status.GetQueued() == 0, nil
	})
}
