package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"contactsd/card"
	"contactsd/check"
	"contactsd/contact"
	"contactsd/credit"
	"contactsd/file"
	"contactsd/identity"
	"contactsd/message"
	"contactsd/pairing"
	"contactsd/presence"
	"contactsd/profile"
	"contactsd/relation"
	"contactsd/spam"
	"contactsd/stamp"
	"contactsd/store"
	"contactsd/transport"
)

// Transport is what a node needs of the network.
type Transport interface {
	transport.Network
	transport.Addresses
	transport.Routes
	transport.Disconnecter
	Run(ctx context.Context) error
}

// Config is what a node is made of. The node closes neither DB nor Transport's
// resources before Run has returned.
type Config struct {
	DB            *store.DB
	Identity      *identity.Identity
	Transport     Transport
	Neighbourhood transport.Neighbourhood // nil: no LAN to look around in
	Files         string                  // folder for received files, absolute; may be empty
	Work          stamp.Work              // what stamps are made of, stamp.Argon2 if nil
	Log           *slog.Logger
}

// Node is one device. Its features are there to be called by the API; what they
// answer, they answer before Run and after it too.
type Node struct {
	DB       *store.DB
	Identity *identity.Identity
	Network  Transport

	Relation *relation.Service
	Pairing  *pairing.Service
	Presence *presence.Service
	Message  *message.Service
	File     *file.Service
	Check    *check.Service
	Profile  *profile.Service
	Credit   *credit.Service
	Card     *card.Service
	Spam     *spam.Service

	log     *slog.Logger
	policy  atomic.Pointer[contact.Policy]
	setting sync.Mutex // so that the policy kept in memory is the one stored last
	streams gated
}

// Tables returns the tables of all features, for store.Open.
func Tables() []store.Definition {
	return slices.Concat([]store.Definition{settingsTable}, relation.Tables(), pairing.Tables(), presence.Tables(), message.Tables(), file.Tables(), profile.Tables(), credit.Tables(), card.Tables(), spam.Tables())
}

// New composes a node and installs its gate on the transport. Run starts it.
func New(cfg Config) (*Node, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{DB: cfg.DB, Identity: cfg.Identity, Network: cfg.Transport, log: cfg.Log}
	set, err := loadSettings(cfg.DB)
	if err != nil {
		return nil, err
	}
	policy := set.policy(cfg.Log)
	n.policy.Store(&policy)
	n.Spam, err = spam.New(spam.Config{
		DB: cfg.DB, Identity: cfg.Identity, Network: cfg.Transport, Log: cfg.Log,
		Relation: func(tx *store.Tx, peer contact.ODID) (contact.View, bool, error) { return n.Relation.View(tx, peer) },
		Reconsider: func(tx *store.Tx, peer contact.ODID) error {
			return n.Relation.Reconsider(tx, peer)
		},
	})
	if err != nil {
		return nil, err
	}
	addresses := learner{cfg.Transport, func(peer contact.ODID) { n.Message.Found(peer) }}

	n.Credit, err = credit.New(credit.Config{
		DB: cfg.DB, Log: cfg.Log,
		Paired: func(tx *store.Tx) (int, error) { return n.Relation.Paired(tx) },
	})
	if err != nil {
		return nil, err
	}
	n.Relation, err = relation.New(relation.Config{
		DB: cfg.DB, Identity: cfg.Identity, Network: cfg.Transport, Addresses: addresses, Work: cfg.Work, Log: cfg.Log,
		Policy: n.Policy, Name: n.Name, Profile: n.shownProfile, Charge: n.Credit.Charge,
		Noticed: func(peer contact.ODID, rev uint64) {
			n.Profile.Noticed(peer, rev)
			n.Card.InTouch(peer)
		},
		Staged: func(tx *store.Tx, peer contact.ODID) (bool, error) { return n.Pairing.Staged(tx, peer) },
		CommitStaged: func(tx *store.Tx, peer contact.ODID, id contact.PairID) (bool, error) {
			return n.Pairing.CommitStaged(tx, peer, id)
		},
		DropStaged: func(tx *store.Tx, peer contact.ODID, until time.Time) error {
			return n.Pairing.DropStaged(tx, peer, until)
		},
		CardRev:    func(tx *store.Tx) (uint64, error) { return n.Card.Rev(tx) },
		DropCard:   func(tx *store.Tx, peer contact.ODID) error { return n.Card.Drop(tx, peer) },
		Disconnect: cfg.Transport.Disconnect,
		Leaving:    func(peer contact.ODID) { n.Presence.Part(peer) },
		Owes: func(tx *store.Tx, peer contact.ODID) (bool, error) {
			owes, err := n.Presence.Owes(tx, peer)
			if owes || err != nil {
				return owes, err
			}
			return n.Spam.Owes(tx, peer)
		},
		Spam: n.Spam,
		Changed: func(peer contact.ODID) {
			n.Presence.RelationChanged(peer)
			n.Message.Wake(peer)
			n.File.RelationChanged(peer)
			n.Profile.RelationChanged(peer)
			n.Card.InTouch(peer)
			n.Spam.RelationChanged(peer)
		},
	})
	if err != nil {
		return nil, err
	}
	n.Pairing, err = pairing.New(pairing.Config{
		DB: cfg.DB, Identity: cfg.Identity, Network: cfg.Transport, Addresses: addresses,
		Neighbourhood: cfg.Neighbourhood, Log: cfg.Log,
		Name:    n.Name,
		Blocked: n.Relation.Blocked,
		Commit: func(tx *store.Tx, r pairing.Result) error {
			return n.Relation.CommitPairing(tx, relation.Pairing{Peer: r.Peer, Name: r.Name, ID: r.PairID, Allow: r.Allow})
		},
		Confirm: n.Relation.Confirm,
	})
	if err != nil {
		return nil, err
	}
	n.Presence, err = presence.New(presence.Config{
		DB: cfg.DB, Network: cfg.Transport, Identity: cfg.Identity, Addresses: addresses,
		Relation: n.Relation.View, NoGossip: !policy.Gossip, AwayAfter: awayAfter(policy), Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	n.Message, err = message.New(message.Config{
		DB: cfg.DB, Network: used{cfg.Transport, n.Relation.Used}, Relation: n.Relation.View, Log: cfg.Log,
		Dialable: func(peer contact.ODID) bool {
			return cfg.Transport.Knows(peer) || len(n.Relation.Where(peer)) > 0
		},
		Received: func(tx *store.Tx, from contact.ODID, id message.ID, body []byte) error {
			return n.File.Received(tx, from, file.ID(id), body)
		},
	})
	if err != nil {
		return nil, err
	}
	n.File, err = file.New(file.Config{
		DB: cfg.DB, Network: used{cfg.Transport, n.Relation.Used}, Relation: n.Relation.View, Folder: cfg.Files, Log: cfg.Log,
		Policy: n.Policy,
		Send: func(to contact.ODID, id file.ID, body []byte) error {
			_, err := n.Message.Send(to, message.ID(id), message.KindFile, body)
			return err
		},
		Revoke: func(id file.ID) error {
			_, err := n.Message.Cancel(message.ID(id))
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	n.Check, err = check.New(check.Config{
		DB: cfg.DB, Network: cfg.Transport, Log: cfg.Log, Sides: n.Relation.Sides,
		Party: func(tx *store.Tx, peer contact.ODID) (contact.Party, error) {
			p, err := n.Relation.Party(tx, peer)
			p.Policy = n.Policy()
			return p, err
		},
	})
	if err != nil {
		return nil, err
	}
	n.Profile, err = profile.New(profile.Config{
		DB: cfg.DB, Network: cfg.Transport, Addresses: addresses, Relation: n.Relation.View, Log: cfg.Log,
		Name: set.Name, DefaultName: hostName(), Announce: n.Relation.Renamed,
	})
	if err != nil {
		return nil, err
	}
	n.Card, err = card.New(card.Config{DB: cfg.DB, Network: cfg.Transport, Relations: n.Relation.Cards(), Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	cfg.Transport.Serve(relation.Protocol, n.gate(contact.ServiceRelation, n.Relation.Handle))
	cfg.Transport.Serve(pairing.Protocol, n.gate(contact.ServicePairing, n.Pairing.Handle))
	cfg.Transport.Serve(presence.Protocol, n.gate(contact.ServicePresence, n.Presence.Handle))
	cfg.Transport.Serve(message.Protocol, n.gate(contact.ServiceMessages, n.using(n.Message.Handle)))
	cfg.Transport.Serve(presence.GossipProtocol, n.gate(contact.ServiceGossip, n.Presence.HandleGossip))
	cfg.Transport.Serve(file.Protocol, n.gate(contact.ServiceFiles, n.using(n.File.Handle)))
	cfg.Transport.Serve(check.Protocol, n.gate(contact.ServiceCheck, n.Check.Handle))
	cfg.Transport.Serve(profile.Protocol, n.gate(contact.ServiceProfile, n.Profile.Handle))
	cfg.Transport.Serve(card.Protocol, n.gate(contact.ServiceCard, n.Card.Handle))
	cfg.Transport.Serve(spam.Protocol, n.gate(contact.ServiceReports, n.Spam.Handle))
	return n, nil
}

// lastWords bounds how long a stop waits for the features to say goodbye.
const lastWords = time.Second

// Run runs the device until ctx ends or a part fails. It stops the features
// first, so that they can still say goodbye, and then the network; when it
// returns, nothing runs any more.
func (n *Node) Run(ctx context.Context) error {
	features, stopFeatures := context.WithCancelCause(ctx)
	defer stopFeatures(nil)
	network, stopNetwork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNetwork()

	var netErr error
	var netDone sync.WaitGroup
	netDone.Go(func() {
		if netErr = n.Network.Run(network); netErr != nil {
			stopFeatures(fmt.Errorf("network: %w", netErr))
		}
	})

	var mu sync.Mutex
	var errs []error
	var done sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{
		"relation": n.Relation.Run,
		"pairing":  n.Pairing.Run,
		"presence": n.Presence.Run,
		"message":  n.Message.Run,
		"file":     n.File.Run,
		"profile":  n.Profile.Run,
		"card":     n.Card.Run,
		"spam":     n.Spam.Run,
	} {
		done.Go(func() {
			if err := run(features); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				mu.Unlock()
				stopFeatures(err)
			}
		})
	}

	<-features.Done()
	timer := time.AfterFunc(lastWords, stopNetwork)
	defer timer.Stop()
	done.Wait()
	stopNetwork()
	netDone.Wait()
	return errors.Join(append(errs, netErr)...)
}
