package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"lukechampine.com/blake3"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/file"
	"contactsd/identity"
	"contactsd/internal/devices"
	"contactsd/transport"
	"contactsd/transport/p2p"
)

const (
	fileSize   = 1 << 30
	smallFiles = 100_000
	smallSize  = 1 << 10
)

// files measures a file of 1 GiB from accepting it to its being verified and synced
// under its name, beside the same bytes over a bare stream, hashed and synced; and
// a folder of many small files.
func (b *bench) files(ctx context.Context) ([]row, error) {
	ana, bob, stop, err := b.paired(ctx, "files")
	if err != nil {
		return nil, err
	}
	defer stop()
	large := b.path("large")
	if err := writeRandom(large, fileSize); err != nil {
		return nil, err
	}
	var ours, bareTCP, bareQUIC []float64
	for i := range b.runs {
		took, path, err := transfer(ctx, ana, bob, large)
		if err != nil {
			return nil, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		ours = append(ours, fileSize/1e6/took.Seconds())
		for listen, rates := range map[string]*[]float64{loopback: &bareTCP, loopbackQUIC: &bareQUIC} {
			took, err := bareFile(ctx, listen, large, b.path(fmt.Sprintf("bare-%d", i)))
			if err != nil {
				return nil, err
			}
			*rates = append(*rates, fileSize/1e6/took.Seconds())
		}
	}
	many := b.path("many")
	for n := range smallFiles {
		dir := filepath.Join(many, fmt.Sprint(n/1000))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), make([]byte, smallSize), 0o600); err != nil {
			return nil, err
		}
	}
	took, _, err := transfer(ctx, ana, bob, many)
	if err != nil {
		return nil, err
	}
	return []row{
		compare("file of 1 GiB, accepted until synced", middle(ours), "MB/s", "bare TCP stream with BLAKE3 and fsync", middle(bareTCP)),
		compare("file of 1 GiB, accepted until synced", middle(ours), "MB/s", "bare QUIC stream with BLAKE3 and fsync", middle(bareQUIC)),
		compare("100,000 files of 1 KiB, accepted until synced", smallFiles/took.Seconds(), "/s", "aim", 2000),
	}, nil
}

const loopbackQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"

// transfer sends what is at path from ana to bob and returns how long it took from
// when it was accepted, and where it is then.
func transfer(ctx context.Context, ana, bob *devices.Device, path string) (took time.Duration, at string, err error) {
	watch, err := bob.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		return 0, "", err
	}
	defer watch.Close()
	sent, err := ana.Files().SendFile(ctx, &contactsv1.SendFileRequest{Contact: bob.ODID, Path: path})
	if err != nil {
		return 0, "", err
	}
	id := sent.File.Id
	var began time.Time
	for watch.Receive() {
		e := watch.Msg().Event
		if e.GetId() != id {
			continue
		}
		switch {
		case e.Type == string(contact.FileOffered):
			began = time.Now()
			if _, err := bob.Files().AcceptFile(ctx, &contactsv1.AcceptFileRequest{Id: id}); err != nil {
				return 0, "", err
			}
		case e.State == file.Done.String():
			took = time.Since(began)
			r, err := bob.Files().GetFile(ctx, &contactsv1.GetFileRequest{Id: id})
			return took, r.GetFile().GetPath(), err
		case e.State == file.Failed.String():
			return 0, "", errors.New("the transfer failed")
		}
	}
	return 0, "", fmt.Errorf("waiting for a file: %w", watch.Err())
}

func writeRandom(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), size)
	return errors.Join(err, f.Sync(), f.Close())
}

// bareFile moves a file over a stream of the transport and nothing else: what comes
// is hashed and written as it comes, and synced at the end.
func bareFile(ctx context.Context, listen, from, to string) (took time.Duration, err error) {
	var ends [2]*p2p.Transport
	for i := range ends {
		id, err := identity.Generate()
		if err != nil {
			return 0, err
		}
		ends[i], err = p2p.New(p2p.Config{Identity: id, Listen: []string{listen}, MayDial: func(contact.ODID) bool { return true }})
		if err == nil {
			err = ends[i].Listen()
		}
		if err != nil {
			return 0, err
		}
		running, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- ends[i].Run(running) }()
		defer func() {
			cancel()
			err = errors.Join(err, <-ended)
		}()
	}
	ends[0].Serve(bareProtocol, func(_ context.Context, st transport.Stream) {
		f, err := os.Open(from)
		if err != nil {
			st.Reset()
			return
		}
		defer f.Close()
		if _, err := io.CopyBuffer(struct{ io.Writer }{st}, struct{ io.Reader }{f}, make([]byte, file.ChunkSize)); err != nil {
			st.Reset()
			return
		}
		st.Close()
	})
	if err := ends[1].Dial(ctx, ends[0].Self(), ends[0].Own()...); err != nil {
		return 0, err
	}
	began := time.Now()
	st, err := ends[1].Open(ctx, ends[0].Self(), bareProtocol)
	if err != nil {
		return 0, err
	}
	defer st.Reset()
	if err := st.CloseWrite(); err != nil {
		return 0, err
	}
	f, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	h := blake3.New(32, nil)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, h)}, struct{ io.Reader }{st}, make([]byte, file.ChunkSize))
	if err = errors.Join(err, f.Sync()); err == nil && n != fileSize {
		err = fmt.Errorf("%d bytes came", n)
	}
	took = time.Since(began)
	return took, errors.Join(err, f.Close(), os.Remove(to))
}
