package p2p

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/zeroconf/v2"
	ma "github.com/multiformats/go-multiaddr"

	"contactsd/contact"
)

// On the LAN a device is found by multicast DNS (RFC 6762): an instance with a
// random name of one of these services (RFC 6763), whose TXT record has one
// multiaddr a string, each ending in /p2p/ and the device's peer ID. libp2p's
// own mdns package is not used because whoever searches with it also announces.
const (
	contactService = "_contactsd._udp"
	pairingService = "_contactsd-pair._udp" // while a code is shown

	mdnsDomain = "local"
	mdnsPort   = 4001 // an SRV record needs one; the TXT record is what counts
)

const (
	maxFound      = 256 // devices of the LAN that are no contacts and whose addresses are remembered
	maxCandidates = 64
	maxLANDials   = 8
	addressPoll   = 10 * time.Second

	// Both sides find each other. The one with the greater ODID waits for the
	// other's dial, so that there is one connection rather than two.
	yield = 300 * time.Millisecond
)

// discover announces this device to its contacts on the LAN and connects with
// those it finds there.
func (t *Transport) discover(ctx context.Context) {
	dials := make(chan struct{}, maxLANDials)
	t.start(func() { t.announce(ctx, contactService) })
	t.start(func() {
		t.browse(ctx, contactService, func(p peer.ID, addrs []ma.Multiaddr) {
			id, ok := odidOf(p)
			listed := ok && t.cfg.MayDial(id)
			if ok {
				t.book.find(p, addrs, listed)
			}
			if !listed {
				return
			}
			select {
			case dials <- struct{}{}:
				if !t.start(func() { defer func() { <-dials }(); t.meet(ctx, id) }) {
					<-dials
				}
			default: // whoever has something to say dials
			}
		})
	})
}

// meet connects with a contact that was found.
func (t *Transport) meet(ctx context.Context, id contact.ODID) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if strings.Compare(string(t.self[:]), string(id[:])) > 0 {
		select {
		case <-time.After(yield):
		case <-ctx.Done():
			return
		}
	}
	if err := t.connect(ctx, id); err != nil {
		t.log.Debug("a contact found on the LAN can't be reached", "contact", id.Short(), "err", err)
	}
}

// Announce implements transport.Neighbourhood. Without Config.MDNS it does nothing.
func (t *Transport) Announce(ctx context.Context) {
	if t.cfg.MDNS {
		t.start(func() { t.announce(ctx, pairingService) })
	}
}

// Candidates implements transport.Neighbourhood. Without Config.MDNS there are none.
func (t *Transport) Candidates(ctx context.Context) <-chan contact.ODID {
	candidates := make(chan contact.ODID)
	search := func() {
		defer close(candidates)
		seen := make(map[peer.ID]bool)
		t.browse(ctx, pairingService, func(p peer.ID, addrs []ma.Multiaddr) {
			id, ok := odidOf(p)
			if !ok || seen[p] || len(seen) == maxCandidates {
				return
			}
			seen[p] = true
			context.AfterFunc(ctx, t.book.name(p, addrs))
			select {
			case candidates <- id:
			case <-ctx.Done():
			case <-t.ctx.Done():
			}
		})
		select {
		case <-ctx.Done():
		case <-t.ctx.Done():
		}
	}
	if !t.start(search) {
		close(candidates)
	}
	return candidates
}

// announce keeps an instance of the service on the LAN until ctx or the
// transport ends. A registration freezes addresses and interfaces, so there is a
// new one whenever they change.
func (t *Transport) announce(ctx context.Context, service string) {
	t.eachAddresses(ctx, func(ctx context.Context, addrs []ma.Multiaddr) {
		var ips, texts []string
		for _, a := range addrs[:min(len(addrs), maxAddresses)] {
			ip, _ := ipOf(a)
			ips = append(ips, ip.String())
			texts = append(texts, a.Encapsulate(ma.StringCast("/p2p/"+peerOf(t.self).String())).String())
		}
		slices.Sort(ips)
		name := strings.ToLower(rand.Text())
		server, err := zeroconf.RegisterProxy(name, service, mdnsDomain, mdnsPort, name, slices.Compact(ips), texts, nil)
		if err != nil {
			t.log.Warn("can't announce this device on the LAN", "err", err)
			return
		}
		<-ctx.Done()
		server.Shutdown()
	})
}

// browse calls found, one call at a time, for each instance of the service that
// others have on the LAN, until ctx or the transport ends.
func (t *Transport) browse(ctx context.Context, service string, found func(peer.ID, []ma.Multiaddr)) {
	if !t.cfg.MDNS {
		return
	}
	t.eachAddresses(ctx, func(ctx context.Context, _ []ma.Multiaddr) {
		var err error
		// On a host without IPv6 zeroconf browses nothing unless told to leave it out.
		for _, traffic := range []zeroconf.IPType{zeroconf.IPv4AndIPv6, zeroconf.IPv4, zeroconf.IPv6} {
			entries := make(chan *zeroconf.ServiceEntry, 16)
			ended := make(chan error, 1)
			go func() { ended <- zeroconf.Browse(ctx, service, mdnsDomain, entries, zeroconf.SelectIPTraffic(traffic)) }()
			err = t.read(entries, ended, found)
			if err == nil || ctx.Err() != nil {
				return
			}
		}
		t.log.Warn("can't look for devices on the LAN", "err", err)
	})
}

// read hands on what a browse brings until it ends and returns why. Browse
// closes entries only if it had begun.
func (t *Transport) read(entries <-chan *zeroconf.ServiceEntry, ended <-chan error, found func(peer.ID, []ma.Multiaddr)) error {
	for {
		select {
		case e, open := <-entries:
			if !open {
				return <-ended
			}
			if p, addrs, err := readEntry(e.Text); err == nil && p != peerOf(t.self) {
				found(p, addrs)
			}
		case err := <-ended:
			return err
		}
	}
}

// readEntry reads the strings of a TXT record. All must be of one device.
func readEntry(texts []string) (p peer.ID, addrs []ma.Multiaddr, err error) {
	for _, text := range texts[:min(len(texts), maxAddresses)] {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return "", nil, err
		}
		where, who := peer.SplitAddr(a)
		if who == "" || p != "" && who != p {
			return "", nil, errors.New("the addresses are not of one device")
		}
		p = who
		if where == nil || !isTransport(where) || !dialable(where) {
			continue
		}
		if ip, ok := ipOf(where); ok && !ip.IsLoopback() {
			addrs = append(addrs, where)
		}
	}
	if len(addrs) == 0 {
		return "", nil, errors.New("no address of a LAN")
	}
	return p, addrs, nil
}

// eachAddresses runs f with the addresses that others on the LAN can use, anew
// whenever they change, until ctx or the transport ends. f returns when its
// context ends, or before.
func (t *Transport) eachAddresses(ctx context.Context, f func(context.Context, []ma.Multiaddr)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	select {
	case <-t.ready:
	case <-ctx.Done():
		return
	}
	poll := time.NewTicker(addressPoll)
	defer poll.Stop()
	for ctx.Err() == nil {
		now := t.interfaces()
		during, change := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if len(now) > 0 && !isLoopback(now[0]) {
				f(during, now)
			}
		}()
		for same := true; same; {
			select {
			case <-poll.C:
				same = slices.EqualFunc(now, t.interfaces(), ma.Multiaddr.Equal)
			case <-ctx.Done():
				same = false
			}
		}
		change()
		<-done
	}
}
