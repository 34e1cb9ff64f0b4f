package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"contactsd/api/server"
	"contactsd/contact"
	"contactsd/file"
	"contactsd/identity"
	"contactsd/internal/home"
	"contactsd/node"
	"contactsd/store"
	"contactsd/transport"
	"contactsd/transport/p2p"
	"contactsd/web"
)

// device is what a start makes of a home.
type device struct {
	db      *store.DB
	network *p2p.Transport
	node    *node.Node
	api     *server.Server
	page    *web.Server // nil if it is off
}

// start makes the device of a home. What takes long is done at once: the network
// beside the store, then the API while the network begins to listen. Listening
// comes after the node, so that whoever connects has the device asked from that
// moment on.
func start(h home.Home, cfg config, log *slog.Logger) (d *device, err error) {
	id, isNew, err := openIdentity(h)
	if err != nil {
		return nil, err
	}
	d = &device{}
	d.network, err = p2p.New(p2p.Config{
		Identity: id,
		Listen:   cfg.Listen,
		MDNS:     cfg.MDNS,
		MayDial:  func(peer contact.ODID) bool { return d.node.Relation.MayDial(peer) },
		Bulk:     []transport.Protocol{file.Protocol},
		Where:    func(peer contact.ODID) []transport.Address { return d.node.Relation.Where(peer) },
		Log:      log,
	})
	if err != nil {
		return nil, err
	}
	composed := make(chan bool, 1)
	err = both(func() error {
		err := d.network.Prepare()
		if there := <-composed; !there || err != nil {
			return err
		}
		return d.listen(cfg.Listen, log)
	}, func() error {
		err := d.compose(h, id, isNew, log)
		composed <- err == nil
		if err != nil {
			return err
		}
		if d.page, err = newPage(cfg.Page, id.Self(), h, log); err != nil {
			return err
		}
		d.api, err = server.New(server.Config{
			Node: d.node, Socket: h.Socket, Store: h.Store, Version: version, Log: log, OpenPage: opener(d.page),
		})
		return err
	})
	if err != nil {
		err = errors.Join(err, d.network.Close())
		if d.page != nil {
			err = errors.Join(err, d.page.Close())
		}
		if d.db != nil {
			err = errors.Join(err, d.db.Close())
		}
		return nil, err
	}
	return d, nil
}

// compose opens the store and makes the node.
func (d *device) compose(h home.Home, id *identity.Identity, isNew bool, log *slog.Logger) (err error) {
	if isNew {
		// Before there is a store: one without its key is an accident.
		if err := id.Save(h.Key); err != nil {
			return err
		}
	}
	if d.db, err = store.Open(h.Store, store.Options{}, node.Tables()...); err != nil {
		return err
	}
	d.node, err = node.New(node.Config{DB: d.db, Identity: id, Transport: d.network, Neighbourhood: d.network, Files: h.Files, Log: log})
	return err
}

// both runs two functions at once and returns what failed.
func both(one, other func() error) error {
	var oneErr, otherErr error
	var running sync.WaitGroup
	running.Go(func() { oneErr = one() })
	otherErr = other()
	running.Wait()
	return errors.Join(oneErr, otherErr)
}

// listen begins to listen where it did the last time, so that addresses which
// others know stay good, or anew if something else listens there now.
func (d *device) listen(asked []string, log *slog.Logger) error {
	before, err := node.ListenOn(d.db, asked)
	if err != nil {
		return err
	}
	if err := d.network.SetListen(before); err != nil {
		return err
	}
	err = d.network.Listen()
	if err != nil && !slices.Equal(before, asked) {
		log.Warn("can't listen where this device did before, choosing other ports", "err", err)
		if err := d.network.SetListen(asked); err != nil {
			return err
		}
		err = d.network.Listen()
	}
	if err != nil {
		return err
	}
	return node.Listening(d.db, asked, d.network.ListenAddresses())
}

// openIdentity loads the device's key, or makes one for a new home, which is to
// be saved. A store without its key is an accident that a new key would make
// worse: contacts would see another device.
func openIdentity(h home.Home) (id *identity.Identity, isNew bool, err error) {
	id, isNew, err = identity.LoadOrGenerate(h.Key)
	if err == nil && isNew {
		if _, err := os.Stat(h.Store); err == nil {
			return nil, false, hinted{
				fmt.Errorf("%s is missing, though %s is there", h.Key, h.Store),
				"restore the key from a backup; a new one would make this another device",
			}
		}
	}
	return id, isNew, err
}
