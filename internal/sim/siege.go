package sim

import (
	"context"

	"contactsd/contact"
	"contactsd/internal/asker"
	"contactsd/relation"
	"contactsd/stamp"
	"contactsd/transport/memnet"
)

// intruder is a device of nobody's that asks a device and plays with stamps.
type intruder struct {
	*asker.Stranger
	link *memnet.Device
}

// besiege has two intruders ask a device after all else, and looks at what they get by
// with: stamps are good once, and for who was asked for them.
func (w *world) besiege() {
	victim := w.hosts[w.plan.Seed%uint64(len(w.hosts))]
	v := victim.up()
	if err := v.SetPolicy(map[string]string{"requests": string(contact.RequestsConfirm), "max-waiting": "10000", "stamps": "6"}); err != nil {
		w.violate("run", "%s: %v", victim.name, err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var all [2]intruder
	for i := range all {
		s, err := asker.New(uint32(i))
		if err != nil {
			w.violate("run", "%v", err)
			stop()
			return
		}
		all[i] = intruder{s, w.net.Device(s.Self())}
		all[i].link.SetMayDial(func(contact.ODID) bool { return true })
		w.mu.Lock()
		w.intruders[s.Self()] = true
		w.mu.Unlock()
		w.talks.Go(func() { all[i].link.Run(ctx) })
	}
	if err := w.plays(ctx, victim, v, all[0], all[1]); err != nil {
		w.violate("run", "an intruder: %v", err)
	}
	stop()
	w.talks.Wait()
}

func (w *world) plays(ctx context.Context, victim *host, v *life, a, b intruder) error {
	ask := contact.Ask{ID: contact.AskID{1}, Permissions: contact.Messages, Wording: "May I?"}
	first, err := a.says(ctx, victim, &ask, asker.Frame{})
	if err != nil {
		return err
	}
	borrowed, err := b.Stamp(ctx, quick{}, victim.self(), ask, first.Challenge)
	if err != nil {
		return err
	}
	if heard, err := b.says(ctx, victim, &ask, asker.Frame{Stamps: borrowed}); err != nil {
		return err
	} else if heard.Receipt != nil {
		w.violate("stamp", "%s took stamps for the challenge of another device", victim.name)
	}
	var proof *stamp.Proof
	if proof, err = a.Stamp(ctx, quick{}, victim.self(), ask, first.Challenge); err != nil {
		return err
	}
	if heard, err := a.says(ctx, victim, &ask, asker.Frame{Stamps: proof}); err != nil || heard.Later {
		return err // it has heard enough strangers today
	}
	if n, err := waitFor(v, a.Self()); err != nil || n != 1 {
		w.violate("stamp", "%s took stamps, and lists %d requests of who made them, %v", victim.name, n, err)
	}
	for _, again := range []*contact.Ask{nil, &ask} { // taken back, and once more
		if _, err := a.says(ctx, victim, again, asker.Frame{Stamps: proof}); err != nil {
			return err
		}
		if n, err := waitFor(v, a.Self()); err != nil || n > 0 {
			w.violate("stamp", "%s took the same stamps twice, %v", victim.name, err)
		}
	}
	return nil
}

func (i intruder) says(ctx context.Context, victim *host, ask *contact.Ask, f asker.Frame) (asker.Frame, error) {
	st, err := i.link.Open(ctx, victim.self(), relation.Protocol)
	if err != nil {
		return asker.Frame{}, err
	}
	defer st.Close()
	return i.Say(st, victim.self(), ask, f)
}

// waitFor returns how many requests of a device wait.
func waitFor(l *life, who contact.ODID) (n int, err error) {
	list, err := l.Relation.Requests(true)
	for _, r := range list {
		if r.ODID == who {
			n++
		}
	}
	return n, err
}
