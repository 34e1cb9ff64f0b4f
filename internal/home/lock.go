package home

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Lock is held by the one daemon that uses a home. The kernel lets it go when
// the process ends, however it ends.
type Lock struct{ f *os.File }

// Acquire takes the lock of a prepared home, without waiting. ErrInUse if
// another process holds it; the text names that process if it can be known.
func (h Home) Acquire() (*Lock, error) {
	f, err := os.OpenFile(h.Lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock home: %w; make %s writable for yourself, or use another --home", err, h.State)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w: %s is used by another contactsd%s; stop that one or use another --home", ErrInUse, h.State, holder(f))
	} else if err != nil {
		err = fmt.Errorf("lock home: %w", err)
	} else {
		err = record(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Release gives the lock back. The file stays: removing it would let two
// processes lock two files of the same name.
func (l *Lock) Release() error { return l.f.Close() }

func record(f *os.File) error {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("lock home: %w", err)
	}
	return nil
}

const maxPIDText = 16

func holder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxPIDText))
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
