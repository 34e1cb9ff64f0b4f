package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"time"
)

// powerCuts takes the power from a machine at a random moment under load: in turn
// from one that both devices are on, and from either device alone.
func powerCuts(ctx context.Context, program, dir string, rounds int, chance *rand.Rand, progress io.Writer) (c *campaign, err error) {
	c = &campaign{}
	disks, err := newShelf(dir)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, disks.close()) }()
	for n := 0; c.rounds < rounds; n++ {
		some := min(roundsAHome/2, rounds-c.rounds)
		before := c.rounds
		if err := cutSome(ctx, program, disks, n, some, chance, c); err != nil {
			return c, fmt.Errorf("rounds %d to %d: %w", before+1, before+some, err)
		}
		fmt.Fprintln(progress, c)
	}
	return c, c.verdict()
}

func cutSome(ctx context.Context, program string, disks *shelf, n, rounds int, chance *rand.Rand, c *campaign) (err error) {
	var volumes []*volume
	defer func() {
		for _, v := range volumes {
			err = errors.Join(err, v.remove())
		}
		disks.volumes = nil
	}()
	for i := range 1 + n%2 {
		v, err := disks.volume(fmt.Sprint("v", i))
		if err != nil {
			return err
		}
		volumes = append(volumes, v)
	}
	last := volumes[len(volumes)-1]
	l, err := open(ctx, program, [2]string{filepath.Join(volumes[0].at, "a"), filepath.Join(last.at, "b")}, lanes)
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
		if len(volumes) == 1 {
			err = l.cutBoth(ctx, volumes[0])
		} else {
			one := chance.IntN(2)
			err = l.cutOne(ctx, l.sides[one], volumes[one])
		}
		if err != nil {
			return err
		}
		c.rounds++
	}
	messages, err := l.settle(ctx)
	c.add(0, messages, l)
	return err
}

// cutBoth cuts in the midst of whatever the disk does. What the daemons say after
// that moment was never said: nobody listens, and they know only each other.
func (l *lab) cutBoth(ctx context.Context, v *volume) error {
	for _, s := range l.sides {
		s.setCut(true)
	}
	ana, bob := l.sides[0].sent.know(), l.sides[1].sent.know()
	if err := v.cut(); err != nil {
		return err
	}
	for _, s := range l.sides {
		s.Stop(syscall.SIGKILL)
	}
	if err := v.power(); err != nil {
		return err
	}
	if err := l.sides[0].examine(ana, bob); err != nil {
		return err
	}
	if err := l.sides[1].examine(bob, ana); err != nil {
		return err
	}
	for _, s := range l.sides {
		s.setCut(false)
		if err := l.start(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// cutOne freezes a daemon and cuts its power: the other goes on and must not
// have heard anything that came after.
func (l *lab) cutOne(ctx context.Context, s *side, v *volume) error {
	if err := s.Freeze(ctx); err != nil {
		return err
	}
	if err := v.cut(); err != nil {
		return err
	}
	s.Stop(syscall.SIGKILL)
	own, theirs := s.sent.know(), s.peer.sent.know()
	if err := v.power(); err != nil {
		return err
	}
	if err := s.examine(own, theirs); err != nil {
		return err
	}
	return l.start(ctx, s)
}

// examine reads all of a store that lost power.
func (s *side) examine(own, theirs known) error {
	s.last, s.out, s.in = 0, nil, nil
	return s.look(own, theirs)
}
