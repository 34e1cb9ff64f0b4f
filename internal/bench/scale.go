package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/devices"
	"contactsd/internal/home"
	"contactsd/node"
	"contactsd/store"
)

// What a device that has hardly anything is taken to have.
const (
	fewContacts  = 10
	someContacts = 3000
	someQueues   = 20
)

// calm is how long a full device is left alone before it is measured.
const calm = 5 * time.Second

// contacts measures what many contacts cost: at the start, in memory, and when
// one is added, found or written to, beside the same with ten.
func (b *bench) contacts(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	few, err := b.fill("few", load{contacts: fewContacts})
	if err != nil {
		return nil, err
	}
	some, err := b.fill("some", load{contacts: max(someContacts, fewContacts)})
	if err != nil {
		return nil, err
	}
	many, err := b.fill("many", load{contacts: b.manyContacts})
	if err != nil {
		return nil, err
	}
	var rows []row
	starts, err := b.starts(ctx, few, many)
	if err != nil {
		return nil, err
	}
	opens, err := b.opens(few, many)
	if err != nil {
		return nil, err
	}
	apiece := func(value float64) float64 { return value / float64(max(b.manyContacts-fewContacts, 1)) }
	loading := "loading a contact at the start, of " + count(b.manyContacts)
	took := apiece(max(starts[1]-starts[0], 0)) * 1000
	rows = append(rows,
		compare(loading, took, "µs", "limit", 1),
		compare(loading, took, "µs", "opening its store", apiece(max(opens[1]-opens[0], 0))*1000))

	var pids []int
	for _, f := range []*filled{few, some, many} {
		if err := f.Start(ctx); err != nil {
			return nil, err
		}
		defer f.Stop(syscall.SIGTERM)
		pids = append(pids, f.PID())
	}
	time.Sleep(calm)
	var memory, cpu [3]float64
	for i, pid := range pids {
		if memory[i], cpu[i], err = usage([]int{pid}); err != nil {
			return nil, err
		}
	}
	rows = append(rows,
		compare("memory of a contact, of "+count(b.manyContacts), apiece(memory[2]-memory[0])*1.048576e3, "KB", "limit", 1.6),
		compare("memory of an idle daemon with "+count(fewContacts)+" contacts", memory[0], "MiB", "limit", 33),
		compare("memory of an idle daemon with "+count(someContacts)+" contacts", memory[1], "MiB", "limit", 40),
		compare("CPU of an idle daemon with "+count(fewContacts)+" contacts a minute", cpu[0], "ms", "limit", 17),
		compare("CPU of an idle daemon with "+count(someContacts)+" contacts a minute", cpu[1], "ms", "limit", 17),
		compare("CPU of an idle daemon with "+count(b.manyContacts)+" contacts a minute", cpu[2], "ms", "with ten", max(cpu[0], 1)))
	calls, err := b.calls(ctx, few, many)
	return append(rows, calls...), err
}

// calls compares the calls of a person on two devices, taking turns, so that
// what else the machine does comes upon both.
func (b *bench) calls(ctx context.Context, few, many *filled) ([]row, error) {
	type call struct {
		name string
		call func(f *filled, i int) error
	}
	get := func(f *filled, text string) error {
		_, err := f.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: text})
		return err
	}
	somebody := func(f *filled, i int) int { return (i * 7919) % len(f.peers) }
	var rows []row
	for _, c := range []call{
		{"adding a contact", func(f *filled, i int) error {
			peer, err := newPeer()
			if err == nil {
				_, err = f.Contacts().AddContact(ctx, &contactsv1.AddContactRequest{Odid: peer.String(), Remark: fmt.Sprintf("new %06d", i)})
			}
			return err
		}},
		{"finding a contact by ODID", func(f *filled, i int) error { return get(f, f.peers[somebody(f, i)].String()) }},
		{"finding a contact by name", func(f *filled, i int) error { return get(f, remark(somebody(f, i))) }},
		{"finding a contact by the start of its ODID", func(f *filled, i int) error { return get(f, f.peers[somebody(f, i)].String()[:16]) }},
		{"sending to a contact by name", func(f *filled, i int) error { return send(ctx, f, remark(somebody(f, i))) }},
		{"asking for the status", func(f *filled, _ int) error { _, err := f.Status(ctx); return err }},
	} {
		times, err := turns(20*b.runs, []*filled{few, many}, timed(c.call))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		rows = append(rows, compare(c.name+", with "+count(b.manyContacts), times[1]*1000, "µs", "1.2 times with ten", 1.2*times[0]*1000))
	}
	return rows, nil
}

// turns calls f for one device after the other and returns the medians of what it
// says it took, in ms.
func turns(n int, list []*filled, f func(*filled, int) (time.Duration, error)) ([]float64, error) {
	times := make([][]time.Duration, len(list))
	for i := range n {
		for k, d := range list {
			took, err := f(d, i)
			if err != nil {
				return nil, err
			}
			times[k] = append(times[k], took)
		}
	}
	var medians []float64
	for _, t := range times {
		medians = append(medians, median(t))
	}
	return medians, nil
}

// timed is f with what it took.
func timed(f func(*filled, int) error) func(*filled, int) (time.Duration, error) {
	return func(d *filled, i int) (time.Duration, error) {
		began := time.Now()
		err := f(d, i)
		return time.Since(began), err
	}
}

func send(ctx context.Context, f *filled, to string) error {
	_, err := f.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: to, Text: "hello"})
	return err
}

// ready measures the start of a daemon that has a lot, beside one that has
// nothing, a libp2p host, and a process of the same program that does nothing.
func (b *bench) ready(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	full, err := b.fill("full", load{contacts: b.manyContacts, queues: min(someQueues, b.manyContacts), messages: b.fewerMessages()})
	if err != nil {
		return nil, err
	}
	var empty, host, nothing []time.Duration
	for i := range b.runs {
		d := devices.New(b.program("contactsd"), b.path(fmt.Sprintf("empty-%d", i)), "Ana")
		if err := d.Start(ctx); err != nil {
			return nil, err
		}
		d.Stop(syscall.SIGTERM)
		empty = append(empty, d.Started)
		for _, other := range []struct {
			times *[]time.Duration
			start func(context.Context) (time.Duration, error)
		}{{&host, bareStart}, {&nothing, b.nothing}} {
			took, err := other.start(ctx)
			if err != nil {
				return nil, err
			}
			*other.times = append(*other.times, took)
		}
	}
	starts, err := b.starts(ctx, full)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("start until the daemon answers, %s contacts, %s messages", count(b.manyContacts), count(b.fewerMessages()))
	return []row{
		compare("start until the daemon answers, empty home", median(empty), "ms", "limit", 45),
		compare("start until the daemon answers, empty home", median(empty), "ms", "bare libp2p host", median(host)),
		compare("start until the daemon answers, empty home", median(empty), "ms", "the same program, --version", median(nothing)),
		compare(name, starts[0], "ms", "limit", 100),
	}, nil
}

// starts starts each device some times and returns the medians, in ms.
func (b *bench) starts(ctx context.Context, list ...*filled) ([]float64, error) {
	return turns(b.runs, list, func(f *filled, _ int) (time.Duration, error) {
		err := f.Start(ctx)
		f.Stop(syscall.SIGTERM)
		return f.Started, err
	})
}

// opens opens the store of each home some times and returns the medians, in ms.
func (b *bench) opens(list ...*filled) ([]float64, error) {
	return turns(b.runs, list, func(f *filled, _ int) (took time.Duration, err error) {
		h, err := home.Resolve(f.Home)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		db, err := store.Open(h.Store, store.Options{}, node.Tables()...)
		if err != nil {
			return 0, err
		}
		took = time.Since(began)
		return took, db.Close()
	})
}

// queue measures sending to somebody who is away when many messages wait
// already, beside a queue of one.
func (b *bench) queue(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	var list []*filled
	for _, l := range []load{{contacts: someQueues, queues: someQueues, messages: 1}, {contacts: someQueues, queues: someQueues, messages: b.manyMessages}} {
		f, err := b.fill(fmt.Sprintf("queue-%d", l.messages), l)
		if err != nil {
			return nil, err
		}
		if err := f.Start(ctx); err != nil {
			return nil, err
		}
		defer f.Stop(syscall.SIGTERM)
		list = append(list, f)
	}
	time.Sleep(calm)
	times, err := turns(40*b.runs, list, timed(func(f *filled, i int) error {
		return send(ctx, f, f.peers[i%len(f.peers)].String())
	}))
	if err != nil {
		return nil, err
	}
	return []row{compare("sending with "+count(b.manyMessages)+" messages queued", times[1]*1000, "µs", "1.2 times with one", 1.2*times[0]*1000)}, nil
}

// fewerMessages is how many wait at a start.
func (b *bench) fewerMessages() int { return max(b.manyMessages/10, 1) }

// count writes a number as people read it.
func count(n int) string {
	text := []byte(fmt.Sprint(n))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = slices.Insert(text, i, ',')
	}
	return string(text)
}
