package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"contactsd/card"
	"contactsd/relation"
)

const (
	revocations   = 20  // one after the other, in each run
	revokedWithin = 200 // ms
)

// cards measures how long a contact that is connected has a card after it was revoked.
func (b *bench) cards(ctx context.Context) ([]row, error) {
	ana, bob, err := couple(ctx, filepath.Join(b.dir, "cards"))
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	phone := "+49 30 1234"
	_, err = ana.Card.Set(card.Change{Phone: &phone})
	for range b.runs * revocations {
		if err != nil {
			break
		}
		var took time.Duration
		took, err = revoke(ctx, ana, bob)
		times = append(times, took)
	}
	if err := errors.Join(err, ana.stop(), bob.stop()); err != nil {
		return nil, err
	}
	return []row{compare("revoking a contact card, until a connected contact has deleted it", median(times), "ms", "aim", revokedWithin)}, nil
}

// revoke gives the card of ana to bob, takes it back and returns how long he has it.
func revoke(ctx context.Context, ana, bob *device) (time.Duration, error) {
	if _, err := bob.Relation.Cards().Ask(ana.Identity.Self(), "May I?"); err != nil {
		return 0, err
	}
	err := until(ctx, func() (bool, error) {
		n, err := ana.Relation.Waiting()
		return n > 0, err
	})
	if err != nil {
		return 0, fmt.Errorf("the request for the card did not arrive: %w", err)
	}
	if _, failed, err := ana.Relation.Answer(nil, true, relation.Answer{Response: relation.Accept}); err != nil || errors.Join(failed...) != nil {
		return 0, errors.Join(append(failed, err)...)
	}
	if err := until(ctx, func() (bool, error) { return holds(bob, ana) }); err != nil {
		return 0, fmt.Errorf("the card did not arrive: %w", err)
	}
	began := time.Now()
	if err := ana.Relation.Cards().Revoke(bob.Identity.Self()); err != nil {
		return 0, err
	}
	err = until(ctx, func() (bool, error) {
		has, err := holds(bob, ana)
		return !has, err
	})
	return time.Since(began), err
}

// holds reports whether d has the card of o.
func holds(d, o *device) (bool, error) {
	_, err := d.Card.Of(o.Identity.Self())
	if errors.Is(err, card.ErrNotHeld) {
		return false, nil
	}
	return err == nil, err
}

// until looks four times a millisecond whether something is there.
func until(ctx context.Context, there func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for tick := time.NewTicker(250 * time.Microsecond); ; {
		if ok, err := there(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
