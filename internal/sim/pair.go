package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"contactsd/pairing"
)

// pair lets one user show a code and another one type it.
func pair(w *world, s Step, a, b *host) bool {
	return w.pairs(a, []*host{b}, nil, s)
}

// race has two users type one code at the same moment.
func race(w *world, s Step, a, b *host) bool {
	c := w.hosts[s.M%len(w.hosts)]
	if c == a || c == b {
		return pair(w, s, a, b)
	}
	return w.pairs(a, []*host{b, c}, nil, s)
}

// wrongCode has a user type a code that is not shown.
func wrongCode(w *world, s Step, a, b *host) bool {
	return w.pairs(a, []*host{b}, func(code string) string {
		last := code[len(code)-1]
		return code[:len(code)-1] + string('0'+(last-'0'+1+byte(s.N%9))%10)
	}, s)
}

const patience = 2 * time.Minute // of somebody who shows a code

// pairs has one user show a code and others type it, as change makes of it. It goes
// on beside what else happens.
func (w *world) pairs(a *host, others []*host, change func(string) string, s Step) bool {
	l := a.up()
	if l == nil || l.isDead() || l.Pairing.WindowOpen() {
		return false
	}
	numbers := make([]int, len(others))
	for i, o := range others {
		w.mu.Lock()
		w.pairings++
		numbers[i] = w.pairings
		w.mu.Unlock()
		w.believe(a.i, o.i, func(b *belief) { b.pairs(numbers[i]) })
		w.believe(o.i, a.i, func(b *belief) { b.pairs(numbers[i]) })
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	codes := make(chan string, 16)
	w.line.note("%s shows a code", a.name)
	w.talks.Go(func() {
		defer cancel()
		var typing sync.WaitGroup
		entered := make([]bool, len(others))
		typing.Go(func() {
			code, ok := <-codes
			if !ok {
				return
			}
			if change != nil {
				code = change(code)
			}
			for i, o := range others {
				typing.Go(func() { entered[i] = w.types(ctx, a, o, code, s, numbers[i]) })
			}
		})
		ended, err := l.Pairing.Show(ctx, pairing.ShowOptions{}, func(s pairing.Shown) {
			select {
			case codes <- s.Code:
			default:
			}
		})
		select {
		case codes <- "": // nobody waits for one any more
		default:
		}
		typing.Wait()
		sure := !l.isDead() && err == nil && ended.Paired
		w.line.note("%s no longer shows a code: %s", a.name, ending(ended, err))
		won := 0
		for i, o := range others {
			if entered[i] {
				won++
			}
			w.believe(a.i, o.i, func(b *belief) { b.paired(numbers[i], sure && ended.Peer == o.self()) })
		}
		if won > 1 || won > 0 && change != nil {
			w.violate("code", "%d devices paired with %s by one code; typed was %s", won, a.name, map[bool]string{true: "another", false: "that one"}[change != nil])
		}
	})
	return true
}

func ending(e pairing.Ended, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case e.Paired:
		return "paired with " + e.Name
	}
	return "nobody came"
}

// types has a user type a code and reports whether that paired the two.
func (w *world) types(ctx context.Context, a, o *host, code string, s Step, number int) (paired bool) {
	l := o.up()
	if l == nil || l.isDead() || code == "" {
		w.believe(o.i, a.i, func(b *belief) { b.paired(number, false) })
		return false
	}
	opt := pairing.EnterOptions{At: a.self()}
	shows := a.up()
	_, err := l.Pairing.Enter(ctx, code, opt)
	sure := !l.isDead()
	if errors.Is(err, pairing.ErrWrongCode) && shows != nil && shows == a.up() {
		w.mu.Lock()
		w.guessed[a.i] = append(w.guessed[a.i], time.Now())
		w.mu.Unlock()
	}
	w.did(l, err, "types %s's code", a.name)
	committed := err == nil || errors.Is(err, pairing.ErrNotConfirmed)
	w.believe(o.i, a.i, func(b *belief) { b.paired(number, sure && committed) })
	return sure && err == nil
}
