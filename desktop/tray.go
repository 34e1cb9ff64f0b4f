package desktop

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"contactsd/client"
	"contactsd/desktop/bus"
)

// screen is where the tray is seen.
type screen interface {
	Show(bus.Look) error
	Notify(ctx context.Context, n bus.Notification, replaces uint32) (id uint32, err error)
	Dismiss(ctx context.Context, id uint32)
	Markup() bool
	Events() <-chan bus.Event
}

// Config is what a tray works with.
type Config struct {
	Client *client.Client
	Screen screen
	Seat   seat                                         // nil if nobody knows whether the user is there
	Open   func(ctx context.Context, file string) error // shows a file in the browser
	Log    *slog.Logger
}

// Tray is the icon and the notifications of one daemon.
type Tray struct {
	cfg     Config
	updates chan update
	acts    sync.WaitGroup
	results chan notified

	// The following is the loop's own.
	state    state
	board    *board
	telling  *notice     // on its way to the server
	stale    bool        // and done elsewhere meanwhile
	early    []bus.Event // about notifications that the loop does not know of yet
	hideCode context.CancelFunc
}

// notified is what became of a notification.
type notified struct {
	notice notice
	id     uint32
	err    error
}

// ErrQuit is why Run returns when the user quits.
var ErrQuit = errors.New("the user quit")

// New returns a tray; Run starts it.
func New(cfg Config) (*Tray, error) {
	if cfg.Client == nil || cfg.Screen == nil || cfg.Open == nil {
		return nil, errors.New("tray: Client, Screen and Open are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Tray{cfg: cfg, updates: make(chan update), results: make(chan notified), board: newBoard()}, nil
}

// Run shows the tray until ctx ends or the user quits, which is ErrQuit. All that it
// started has ended when it returns. An error of the screen ends it too.
func (t *Tray) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer t.clear()
	defer t.acts.Wait()
	defer stop()
	f := &follower{client: t.cfg.Client, tell: t.tell}
	t.acts.Go(func() { f.run(ctx) })
	if t.cfg.Seat != nil {
		t.acts.Go(func() { t.watchUser(ctx) })
	}
	if err := t.cfg.Screen.Show(t.state.look()); err != nil {
		return err
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case u := <-t.updates:
			if err := t.apply(ctx, u); err != nil {
				return err
			}
		case e := <-t.cfg.Screen.Events():
			if e.Entry == quitEntry {
				return ErrQuit
			}
			t.did(ctx, e)
		case r := <-t.results:
			t.told(ctx, r)
		case <-next.C:
		}
		if later := t.notify(ctx); later > 0 {
			next.Reset(later)
		}
	}
}

// tell hands an update to the loop.
func (t *Tray) tell(ctx context.Context, u update) {
	select {
	case t.updates <- u:
	case <-ctx.Done():
	}
}

func (t *Tray) apply(ctx context.Context, u update) error {
	switch {
	case u.state != nil:
		return t.is(*u.state)
	case u.presence != nil:
		now := t.state
		now.presence, now.text = u.presence.State, u.presence.Text
		return t.is(now)
	case u.notice != nil:
		t.board.put(*u.notice)
	default:
		t.dismiss(ctx, u.over)
	}
	return nil
}

// is notes a state, and shows it if it looks another way.
func (t *Tray) is(now state) error {
	was := t.state
	t.state = now
	if was.same(now) {
		return nil
	}
	return t.cfg.Screen.Show(now.look())
}

// dismiss takes back what is about key.
func (t *Tray) dismiss(ctx context.Context, key string) {
	t.stale = t.stale || t.telling != nil && t.telling.key == key
	for _, id := range t.board.over(key) {
		t.acts.Go(func() { t.cfg.Screen.Dismiss(ctx, id) })
	}
}

// act does what the user asked for, and has its outcome shown.
func (t *Tray) act(ctx context.Context, do func(context.Context) notice) {
	t.acts.Go(func() {
		if n := do(ctx); n.key != "" {
			t.tell(ctx, update{notice: &n})
		}
	})
}

// brief bounds a call that is answered at once.
func brief(do func(context.Context) notice) func(context.Context) notice {
	return func(ctx context.Context) notice {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return do(ctx)
	}
}

// did does what the user wants with a click.
func (t *Tray) did(ctx context.Context, e bus.Event) {
	switch {
	case e.Notice != 0:
		t.about(ctx, e)
	case e.Entry == codeEntry:
		t.code(ctx)
	case stateOfEntry(e.Entry) != "":
		text := t.state.text
		t.act(ctx, brief(func(ctx context.Context) notice { return t.setPresence(ctx, stateOfEntry(e.Entry), text) }))
	default: // the icon, or what the page shows
		t.act(ctx, t.open)
	}
}

// code shows the code, or goes on showing it.
func (t *Tray) code(ctx context.Context) {
	if t.hideCode != nil {
		t.hideCode()
	}
	ctx, t.hideCode = context.WithCancel(ctx)
	t.act(ctx, t.showCode)
}

// about is something that happened to a notification.
func (t *Tray) about(ctx context.Context, e bus.Event) {
	n, known := t.board.off(e.Notice)
	if !known {
		if t.telling != nil {
			t.early = append(t.early, e)
		}
		return
	}
	switch {
	case e.Action == acceptKey && n.request != "", e.Action == rejectKey && n.request != "":
		t.act(ctx, brief(func(ctx context.Context) notice { return t.answer(ctx, n.request, e.Action) }))
	case e.Action == openKey:
		t.act(ctx, t.open)
	case n.key == codeNotice && t.hideCode != nil:
		t.hideCode()
	}
}

// notifyTimeout bounds how long a notification server may take.
const notifyTimeout = 5 * time.Second

// notify sends the next notice to the server, one at a time, and returns when to look
// again, 0 for never.
func (t *Tray) notify(ctx context.Context) time.Duration {
	if t.telling != nil {
		return 0
	}
	n, replaces, ok, later := t.board.next(time.Now())
	if !ok {
		return later
	}
	t.telling, t.stale = &n, false
	t.acts.Go(func() {
		call, cancel := context.WithTimeout(ctx, notifyTimeout)
		defer cancel()
		id, err := t.cfg.Screen.Notify(call, n.shown(t.cfg.Screen.Markup()), replaces)
		select {
		case t.results <- notified{n, id, err}:
		case <-ctx.Done():
		}
	})
	return 0
}

// told notes what became of a notification. The code that can't be shown in one is
// on the page.
func (t *Tray) told(ctx context.Context, r notified) {
	early := t.early
	t.telling, t.early = nil, nil
	if r.err != nil {
		t.cfg.Log.Warn("the desktop does not take notifications", "err", r.err)
		if r.notice.key == codeNotice && t.hideCode != nil {
			t.hideCode()
			t.act(ctx, t.open)
		}
		return
	}
	t.board.on(r.id, r.notice)
	for _, e := range early {
		t.about(ctx, e)
	}
	if t.stale {
		t.dismiss(ctx, r.notice.key)
	}
}

// clearTimeout bounds how long the end of the tray waits for the server.
const clearTimeout = time.Second

// clear takes back what is on the screen: nobody would hear of its buttons.
func (t *Tray) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), clearTimeout)
	defer cancel()
	for id := range t.board.shown {
		t.cfg.Screen.Dismiss(ctx, id)
	}
}
