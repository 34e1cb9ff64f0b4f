package desktop

import (
	"context"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
)

// seat knows when the user did something last.
type seat interface {
	Idle(ctx context.Context) (idle time.Duration, known bool)
	Changed() <-chan struct{} // has something in it when Idle may say something else
}

// How the daemon is told of it.
const (
	source = "tray"
	// lookEvery is how often the user is looked at, and lookBack how often while they
	// are away: they are to be back at once.
	lookEvery = 20 * time.Second
	lookBack  = 2 * time.Second
	// holdsFor is how long a report says that the tray watches on: some of its looks.
	holdsFor = 90 * time.Second
)

// watchUser reports whether the user is there until ctx ends, then that nobody watches
// any more.
func (t *Tray) watchUser(ctx context.Context) {
	known := false
	defer func() {
		if known {
			t.leave(ctx)
		}
	}()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-t.cfg.Seat.Changed():
		}
		idle, knows := t.cfg.Seat.Idle(ctx)
		wait := lookEvery
		switch {
		case ctx.Err() != nil:
			return
		case knows:
			if t.report(ctx, idle) == "away" && idle < lastLook {
				wait = lookBack
			}
		case known:
			t.report(ctx, 0) // the screen was locked, of which alone was known, and is not
			t.leave(ctx)
		}
		known = knows
		look.Reset(wait)
	}
}

// lastLook is when a user who is away is looked for less often again: nobody minds
// some seconds after so long, and the computer is left to rest.
const lastLook = time.Hour

// report tells how long ago the user did something, and returns the state that this
// device is in with that, "" if no daemon answers.
func (t *Tray) report(ctx context.Context, idle time.Duration) string {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := t.cfg.Client.Presence().ReportActivity(call, &contactsv1.ReportActivityRequest{
		Source: source, IdleSeconds: uint32(min(idle, maxIdle) / time.Second), HoldsSeconds: uint32(holdsFor / time.Second),
	})
	if err != nil {
		return ""
	}
	t.tell(ctx, update{presence: r.Presence})
	return r.Presence.GetState()
}

// maxIdle is as good as any longer time.
const maxIdle = 30 * 24 * time.Hour

// leave says that nobody watches any more, also when the tray ends.
func (t *Tray) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTimeout)
	defer cancel()
	// A daemon that does not answer has nothing to forget.
	_, _ = t.cfg.Client.Presence().ReportActivity(ctx, &contactsv1.ReportActivityRequest{Source: source, Leaves: true})
}
