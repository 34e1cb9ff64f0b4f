package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/internal/devices"
)

// Limits of a run.
const (
	// leastRate is what a healthy pair must deliver: a run below it proves
	// nothing, since nothing was under way when the fault came.
	leastRate = 100 // messages per second
	patience  = 60 * time.Second
)

// errVoid: too little was under way for the run to prove anything.
var errVoid = errors.New("void")

// lab is two devices that write to each other.
type lab struct {
	sides [2]*side
	halt  chan struct{}
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu   sync.Mutex
	errs []error

	delivered int           // in healthy times
	healthy   time.Duration // of all of them
}

// build makes the daemon. tags are Go build tags.
func build(ctx context.Context, dir string, tags string) (program string, err error) {
	program = filepath.Join(dir, "contactsd"+tags)
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", program, "contactsd/cmd/contactsd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}

// open starts two fresh devices and pairs them.
func open(ctx context.Context, program string, homes [2]string, lanes int) (*lab, error) {
	l := &lab{}
	for i, name := range []string{"Ana", "Bob"} {
		l.sides[i] = &side{Device: devices.New(program, homes[i], name), sent: newLedger(lanes), cursor: "0"}
	}
	l.sides[0].peer, l.sides[1].peer = l.sides[1], l.sides[0]
	if err := l.meet(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, s := range l.sides {
		if err := s.Start(ctx); err != nil {
			return err
		}
		odid, err := contact.ParseODID(s.ODID)
		if err != nil {
			return err
		}
		s.odid = odid
	}
	ana, bob := l.sides[0], l.sides[1]
	shown, err := ana.Pairing().ShowCode(ctx, &contactsv1.ShowCodeRequest{Once: true})
	if err != nil {
		return err
	}
	defer shown.Close()
	if !shown.Receive() {
		return fmt.Errorf("no code: %w", shown.Err())
	}
	at, err := ana.Address(ctx, "/tcp/")
	if err != nil {
		return err
	}
	_, err = bob.Pairing().EnterCode(ctx, &contactsv1.EnterCodeRequest{Code: shown.Msg().GetCode().GetCode(), At: at})
	return err
}

// close ends whatever runs.
func (l *lab) close() {
	if l.stop != nil {
		l.stop()
		l.work.Wait()
	}
	for _, s := range l.sides {
		s.Stop(syscall.SIGKILL)
	}
}

// load has both sides write to each other until settle or close.
func (l *lab) load(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.halt = make(chan struct{})
	for _, s := range l.sides {
		for n := range s.sent.next {
			l.work.Go(func() {
				if err := s.lane(ctx, n, l.halt); err != nil && ctx.Err() == nil {
					l.fail(err)
				}
			})
		}
		l.work.Go(func() { s.watch(ctx) })
	}
}

func (l *lab) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *lab) count() (n [2]int) {
	for i, s := range l.sides {
		s.sent.mu.Lock()
		n[i] = len(s.sent.delivered)
		s.sent.mu.Unlock()
	}
	return n
}

// recover waits until messages arrive both ways again.
func (l *lab) recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := l.count()
	err := devices.Until(ctx, "messages to arrive both ways", func() (bool, error) {
		now := l.count()
		return now[0] > before[0] && now[1] > before[1], nil
	})
	if err == nil {
		return nil
	}
	now := l.count()
	for i, s := range l.sides {
		s.mu.Lock()
		err = fmt.Errorf("%w; of %s %d more, %d calls under way, those that failed: %v, the last: %v",
			err, s.Name, now[i]-before[i], s.sent.under(), s.errors, s.lastError)
		s.mu.Unlock()
	}
	return err
}

// run lets both write for a while in which nothing is wrong, and counts.
func (l *lab) run(ctx context.Context, d time.Duration) error {
	before, began := l.count(), time.Now()
	if !pause(ctx, d) {
		return ctx.Err()
	}
	after := l.count()
	l.delivered += after[0] - before[0] + after[1] - before[1]
	l.healthy += time.Since(began)
	return nil
}

func (l *lab) rate() float64 { return float64(l.delivered) / l.healthy.Seconds() }

// settle ends the load, waits until everything has arrived, ends both daemons and
// compares what they hold. It returns how many messages there were.
func (l *lab) settle(ctx context.Context) (messages int, err error) {
	close(l.halt)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = devices.Until(ctx, "every message to be delivered", func() (bool, error) {
		for _, s := range l.sides {
			status, err := s.Status(ctx)
			if err != nil || status.GetQueued() > 0 {
				return false, err
			}
			if s.sent.under() > 0 {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	l.stop()
	l.work.Wait()
	if err := errors.Join(l.errs...); err != nil {
		return 0, err
	}
	for _, s := range l.sides {
		s.Stop(syscall.SIGTERM)
		if err := s.reread(); err != nil {
			return 0, err
		}
	}
	for _, s := range l.sides {
		settled := s.sent.settled
		if s.restored {
			settled = s.sent.settledBefore
		}
		if err := settled(s.out, s.peer.in); err != nil {
			return 0, fmt.Errorf("from %s to %s: %w", s.Name, s.peer.Name, err)
		}
		messages += len(s.out)
	}
	return messages, nil
}
