package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/asker"
	"contactsd/internal/home"
	"contactsd/node"
)

const (
	manyRequests   = 3000
	requestsWithin = 2000 // ms
	requestRuns    = 3    // at most: each fills a home
)

// requests measures how long accepting all of many requests takes over the socket,
// beside what a person may wait.
func (b *bench) requests(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	var times []time.Duration
	for run := range min(b.runs, requestRuns) {
		took, err := b.acceptAll(ctx, fmt.Sprintf("requests-%d", run))
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return []row{compare(fmt.Sprintf("%d requests accepted over the socket", manyRequests), median(times), "ms", "aim", requestsWithin)}, nil
}

// acceptAll returns how long a daemon with many requests takes to accept them.
func (b *bench) acceptAll(ctx context.Context, name string) (took time.Duration, err error) {
	f, err := b.fill(name, load{})
	if err != nil {
		return 0, err
	}
	if err := b.ask(ctx, name); err != nil {
		return 0, fmt.Errorf("fill %s with requests: %w", name, err)
	}
	if err := f.Start(ctx); err != nil {
		return 0, err
	}
	defer f.Stop(syscall.SIGTERM)
	began := time.Now()
	r, err := f.Requests().AnswerRequests(ctx, &contactsv1.AnswerRequestsRequest{All: true, Answer: "accept"})
	took = time.Since(began)
	if err != nil {
		return 0, err
	}
	s, err := f.Status(ctx)
	if err == nil && (len(r.Results) != manyRequests || s.Requests != 0 || s.Contacts != manyRequests) {
		err = fmt.Errorf("%d accepted, %d wait, %d contacts", len(r.Results), s.Requests, s.Contacts)
	}
	return took, err
}

// ask has strangers ask the device of a home, which does not run.
func (b *bench) ask(ctx context.Context, name string) error {
	h, err := home.Resolve(filepath.Join(b.dir, name))
	if err != nil {
		return err
	}
	id, err := identity.Load(h.Key)
	if err != nil {
		return err
	}
	err = offline(h.Store, id, func(n *node.Node) error {
		if err := n.SetPolicy(map[string]string{"max-waiting": fmt.Sprint(manyRequests), "stamps": "0"}); err != nil {
			return err
		}
		return each(manyRequests, fillers, func(i int) error {
			return asker.Ask(ctx, n.Relation, id.Self(), uint32(i), contact.Messages, "May I?")
		})
	})
	return errors.Join(err, settled(h.Store))
}
