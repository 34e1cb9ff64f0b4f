package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/devices"
	"contactsd/internal/home"
	"contactsd/message"
	"contactsd/node"
	"contactsd/relation"
	"contactsd/store"
	"contactsd/transport/p2p"
)

// load is what a home is filled with: contacts known by their ODID, and messages
// that wait for the first of them.
type load struct {
	contacts, queues, messages int
	described                  bool // some contacts have groups and fields
}

// filled is a home and the daemon that runs in it.
type filled struct {
	*devices.Device
	peers []contact.ODID
}

const (
	fillers  = 512
	fillBody = 100 // bytes of a message that only waits
)

func remark(i int) string { return fmt.Sprintf("contact %06d", i) }

// fill makes a home, with the features' own calls on a store that does not sync.
func (b *bench) fill(name string, l load) (*filled, error) {
	h, err := home.Resolve(filepath.Join(b.dir, name))
	if err != nil {
		return nil, err
	}
	if err := h.Prepare(); err != nil {
		return nil, err
	}
	id, err := identity.Generate()
	if err != nil {
		return nil, err
	}
	if err := id.Save(h.Key); err != nil {
		return nil, err
	}
	f := &filled{Device: devices.New(b.program("contactsd"), h.State, name)}
	err = offline(h.Store, id, func(n *node.Node) error {
		if f.peers, err = befriend(n, l.contacts); err != nil {
			return err
		}
		if l.described {
			if err := describe(n, f.peers); err != nil {
				return err
			}
		}
		return enqueue(n, f.peers[:l.queues], l.messages)
	})
	if err != nil {
		return nil, fmt.Errorf("fill %s: %w", name, err)
	}
	return f, settled(h.Store)
}

// offline calls f with a node that does not run, on a store that does not sync.
func offline(path string, id *identity.Identity, f func(*node.Node) error) (err error) {
	db, err := store.Open(path, store.Options{NoSync: true}, node.Tables()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	net, err := p2p.New(p2p.Config{Identity: id})
	if err != nil {
		return err
	}
	n, err := node.New(node.Config{DB: db, Identity: id, Transport: net})
	if err != nil {
		return err
	}
	return f(n)
}

// settled has on the disk what was written without syncing it.
func settled(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// befriend adds contacts whose keys nobody has.
func befriend(n *node.Node, many int) ([]contact.ODID, error) {
	peers := make([]contact.ODID, many)
	if err := n.SetPolicy(map[string]string{"max-untrusted": "1000000"}); err != nil {
		return nil, err
	}
	return peers, each(many, fillers, func(i int) error {
		var err error
		if peers[i], err = newPeer(); err != nil {
			return err
		}
		_, _, err = n.Relation.Add(peers[i], relation.AddOptions{Remark: remark(i), App: "bench"})
		return err
	})
}

func newPeer() (contact.ODID, error) {
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return contact.ODID{}, err
	}
	return contact.ODIDFromKey(key)
}

// enqueue spreads messages over peers.
func enqueue(n *node.Node, peers []contact.ODID, many int) error {
	body := []byte(strings.Repeat("m", fillBody))
	batches := (many + message.MaxBatch - 1) / message.MaxBatch
	return each(batches, 2, func(i int) error {
		var list []message.Outgoing
		for range min(message.MaxBatch, many-i*message.MaxBatch) {
			id, err := message.NewID()
			if err != nil {
				return err
			}
			to := peers[(i*message.MaxBatch+len(list))%len(peers)]
			list = append(list, message.Outgoing{To: to, ID: id, Kind: message.KindText, Body: body})
		}
		sent, err := n.Message.SendMany(list)
		for _, s := range sent {
			err = errors.Join(err, s.Err)
		}
		return err
	})
}

// each calls f with 0 to n-1, from so many goroutines, until it fails.
func each(n, goroutines int, f func(int) error) error {
	var mu sync.Mutex
	var failure error
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && failure == nil
	}
	var work sync.WaitGroup
	for range goroutines {
		work.Go(func() {
			for i, more := take(); more; i, more = take() {
				if err := f(i); err != nil {
					mu.Lock()
					failure = err
					mu.Unlock()
				}
			}
		})
	}
	work.Wait()
	return failure
}
