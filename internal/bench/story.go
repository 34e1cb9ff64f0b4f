package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/internal/devices"
)

// pair starts two fresh devices.
func (b *bench) pair(ctx context.Context, name string) (ana, bob *devices.Device, stop func(), err error) {
	if err := b.build(ctx); err != nil {
		return nil, nil, nil, err
	}
	ana = devices.New(b.program("contactsd"), filepath.Join(b.dir, name+"-a"), "Ana")
	bob = devices.New(b.program("contactsd"), filepath.Join(b.dir, name+"-b"), "Bob")
	stop = func() {
		ana.Stop(syscall.SIGTERM)
		bob.Stop(syscall.SIGTERM)
	}
	for _, d := range []*devices.Device{ana, bob} {
		if err := d.Start(ctx); err != nil {
			stop()
			return nil, nil, nil, err
		}
	}
	return ana, bob, stop, nil
}

func code(ctx context.Context, d *devices.Device) (string, error) {
	shown, err := d.Pairing().ShowCode(ctx, &contactsv1.ShowCodeRequest{Once: true})
	if err != nil {
		return "", err
	}
	defer shown.Close()
	if !shown.Receive() {
		return "", fmt.Errorf("no code: %w", shown.Err())
	}
	return shown.Msg().GetCode().GetCode(), nil
}

func trust(ctx context.Context, who, of *devices.Device) (string, error) {
	c, err := who.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: of.ODID})
	if err != nil {
		return "", err
	}
	return c.GetContact().GetTrust(), nil
}

// rest is how long fresh daemons are left alone before they are measured: they
// rehearse a handshake and collect the garbage of starting meanwhile.
const rest = 300 * time.Millisecond

// pairing measures strangers who become trusted contacts: by the CLI, processes
// included, until both lists say so; and between the daemons alone, over each
// transport. Who is there is known, as on a LAN or from a link; by the CLI, and once
// without it, only the address is, and asking costs another handshake.
func (b *bench) pairing(ctx context.Context) ([]row, error) {
	var start []time.Duration
	took := make(map[string][]time.Duration)
	for i := range b.runs {
		for n, by := range []string{"contactsctl", "/quic-v1/", "/tcp/", "address alone"} {
			way := by
			if n == 0 || n == 3 {
				way = "/quic-v1/"
			}
			t, err := b.pairOnce(ctx, fmt.Sprintf("pair-%d-%d", i, n), way, n == 0, n == 1 || n == 2)
			if err != nil {
				return nil, err
			}
			took[by] = append(took[by], t)
		}
		began := time.Now()
		if err := exec.CommandContext(ctx, b.program("contactsctl"), "version").Run(); err != nil {
			return nil, fmt.Errorf("contactsctl version: %w", err)
		}
		start = append(start, time.Since(began))
	}
	whole := median(took["contactsctl"])
	return []row{
		compare("pair CODE until both lists say paired, QUIC", whole, "ms", "limit", 65),
		compare("pairing between the two daemons, QUIC", median(took["/quic-v1/"]), "ms", "limit", 17),
		compare("pairing between the two daemons, TCP", median(took["/tcp/"]), "ms", "limit", 17),
		compare("pairing between the two daemons, QUIC, address alone", median(took["address alone"]), "ms", "limit", 17),
		compare("start of contactsctl", median(start), "ms", "pair CODE", whole),
	}, nil
}

func (b *bench) pairOnce(ctx context.Context, name, way string, byCLI, known bool) (time.Duration, error) {
	ana, bob, stop, err := b.pair(ctx, name)
	if err != nil {
		return 0, err
	}
	defer stop()
	digits, err := code(ctx, ana)
	if err != nil {
		return 0, err
	}
	at, err := ana.Address(ctx, way)
	if err != nil {
		return 0, err
	}
	if known {
		at = ana.ODID + "@" + at
	}
	time.Sleep(rest)
	began := time.Now()
	if byCLI {
		out, err := exec.CommandContext(ctx, b.program("contactsctl"), "--home", bob.Home, "pair", digits, "--at", at).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("contactsctl pair: %w\n%s", err, out)
		}
	} else if _, err := bob.Pairing().EnterCode(ctx, &contactsv1.EnterCodeRequest{Code: digits, At: at}); err != nil {
		return 0, err
	}
	took := time.Since(began)
	for _, who := range [][2]*devices.Device{{ana, bob}, {bob, ana}} {
		if t, err := trust(ctx, who[0], who[1]); err != nil || t != "paired" {
			return 0, fmt.Errorf("%s sees %q after pairing, %w", who[0].Name, t, err)
		}
	}
	return took, nil
}

// paired starts two devices and pairs them.
func (b *bench) paired(ctx context.Context, name string) (ana, bob *devices.Device, stop func(), err error) {
	ana, bob, stop, err = b.pair(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	digits, err := code(ctx, ana)
	if err == nil {
		var at string
		if at, err = ana.Address(ctx, "/quic-v1/"); err == nil {
			_, err = bob.Pairing().EnterCode(ctx, &contactsv1.EnterCodeRequest{Code: digits, At: at})
		}
	}
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	return ana, bob, stop, nil
}
