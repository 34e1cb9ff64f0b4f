package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// campaign is what a kind of fault found out over its rounds.
type campaign struct {
	rounds, messages, delivered int
	healthy                     time.Duration
}

func (c *campaign) add(rounds, messages int, l *lab) {
	c.rounds += rounds
	c.messages += messages
	c.delivered += l.delivered
	c.healthy += l.healthy
}

func (c *campaign) String() string {
	return fmt.Sprintf("%d rounds, %d messages, all there once and in order; %.0f/s while healthy", c.rounds, c.messages, c.rate())
}

func (c *campaign) rate() float64 { return float64(c.delivered) / c.healthy.Seconds() }

// verdict makes a run void that moved too little.
func (c *campaign) verdict() error {
	if c.rounds > 0 && !(c.rate() >= leastRate) {
		return fmt.Errorf("%w: %.0f messages/s while healthy, at least %d", errVoid, c.rate(), leastRate)
	}
	return nil
}

// Sizes of a load.
const (
	lanes        = 4
	roundsAHome  = 25 // then both devices begin anew, so that no round gets slow
	longestRound = 120 * time.Millisecond
)

// kills ends one of the daemons, or both, with SIGKILL at a random moment under
// load, often again while it starts, and looks into its store each time.
func kills(ctx context.Context, program, dir string, rounds int, chance *rand.Rand, progress io.Writer) (*campaign, error) {
	c := &campaign{}
	for c.rounds < rounds {
		n := min(roundsAHome, rounds-c.rounds)
		if err := killSome(ctx, program, dir, n, chance, c); err != nil {
			return c, fmt.Errorf("rounds %d to %d: %w", c.rounds+1, c.rounds+n, err)
		}
		fmt.Fprintln(progress, c)
	}
	return c, c.verdict()
}

func killSome(ctx context.Context, program, dir string, rounds int, chance *rand.Rand, c *campaign) error {
	homes, clean, err := freshHomes(dir)
	if err != nil {
		return err
	}
	defer clean()
	l, err := open(ctx, program, homes, lanes)
	if err != nil {
		return err
	}
	defer l.close()
	l.load(ctx)
	for range rounds {
		if err := l.recover(ctx); err != nil {
			return err
		}
		if err := l.run(ctx, 10*time.Millisecond+time.Duration(chance.Int64N(int64(longestRound)))); err != nil {
			return err
		}
		victims := l.sides[:]
		if one := chance.IntN(5); one < 4 {
			victims = victims[one%2 : one%2+1]
		}
		if err := l.kill(ctx, victims, chance); err != nil {
			return err
		}
	}
	messages, err := l.settle(ctx)
	c.add(rounds, messages, l)
	return err
}

func (l *lab) kill(ctx context.Context, victims []*side, chance *rand.Rand) error {
	for _, s := range victims {
		own, theirs := s.sent.know(), s.peer.sent.know()
		s.Stop(syscall.SIGKILL)
		for chance.IntN(4) == 0 {
			early, cancel := context.WithTimeout(ctx, time.Millisecond+time.Duration(chance.IntN(60))*time.Millisecond)
			_ = s.Start(early) // mostly it fails, and it may fail with the daemon running
			s.Stop(syscall.SIGKILL)
			cancel()
		}
		if err := s.look(own, theirs); err != nil {
			return err
		}
	}
	for _, s := range victims {
		if err := l.start(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) start(ctx context.Context, s *side) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.Start(ctx)
}

func freshHomes(dir string) (homes [2]string, clean func(), err error) {
	base, err := os.MkdirTemp(dir, "h")
	if err != nil {
		return homes, nil, err
	}
	return [2]string{filepath.Join(base, "a"), filepath.Join(base, "b")}, func() { os.RemoveAll(base) }, nil
}
