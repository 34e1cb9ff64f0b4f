package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/message"
)

const apiCallers = 64

// api measures one call over the socket beside a byte that goes there and back
// over one, and messages that are queued through it for a contact that is away
// beside the same without it.
func (b *bench) api(ctx context.Context) ([]row, error) {
	ana, bob, stop, err := b.paired(ctx, "api")
	if err != nil {
		return nil, err
	}
	defer stop()
	bob.Stop(syscall.SIGTERM)
	floor, err := echo(filepath.Join(b.dir, "echo"), 200*b.runs)
	if err != nil {
		return nil, err
	}
	var calls []time.Duration
	for range 200 * b.runs {
		began := time.Now()
		if _, err := ana.Status(ctx); err != nil {
			return nil, err
		}
		calls = append(calls, time.Since(began))
	}
	here, there, err := couple(ctx, filepath.Join(b.dir, "api-bare"))
	if err != nil {
		return nil, err
	}
	defer func() { here.stop() }()
	if err := there.stop(); err != nil {
		return nil, err
	}
	text := strings.Repeat("m", bodySize)
	var through, within []float64
	for range b.runs {
		rate, err := rateOf(func() error {
			_, err := ana.Messages().SendMessage(ctx, &contactsv1.SendMessageRequest{Contact: bob.ODID, Text: text})
			return err
		})
		if err != nil {
			return nil, err
		}
		through = append(through, rate)
		rate, err = rateOf(func() error {
			id, err := message.NewID()
			if err == nil {
				_, err = here.Message.Send(there.Identity.Self(), id, message.KindText, []byte(text))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		within = append(within, rate)
	}
	return []row{
		compare("one call over the socket", median(calls)*1000, "µs", "a byte there and back", median(floor)*1000),
		compare("messages queued through the socket, 64 callers", middle(through), "/s", "without the API", middle(within)),
	}, nil
}

// rateOf calls from many goroutines for a while and returns the calls a second.
func rateOf(call func() error) (float64, error) {
	var done atomic.Int64
	var failure atomic.Pointer[error]
	var callers sync.WaitGroup
	began := time.Now()
	for range apiCallers {
		callers.Go(func() {
			for time.Since(began) < runLasts && failure.Load() == nil {
				if err := call(); err != nil {
					failure.CompareAndSwap(nil, &err)
					return
				}
				done.Add(1)
			}
		})
	}
	callers.Wait()
	if err := failure.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(began).Seconds(), nil
}

// echo returns how long a byte takes there and back over a Unix socket.
func echo(path string, n int) (times []time.Duration, err error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for sent := []byte{1}; n > 0; n-- {
		began := time.Now()
		got := make([]byte, 1)
		_, writeErr := c.Write(sent)
		_, readErr := io.ReadFull(c, got)
		if err := errors.Join(writeErr, readErr); err != nil || !bytes.Equal(got, sent) {
			return nil, errors.Join(err, errors.New("no echo"))
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
