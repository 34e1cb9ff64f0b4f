package web

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Limits of the copies of what browsers send.
const (
	maxCopy    = 8_000_000_000  // bytes of one
	maxSpool   = 16_000_000_000 // bytes of all
	maxCopies  = 200
	spareSpace = 1_000_000_000 // bytes of the disk that copies leave free
)

// spaceEvery is after how many bytes the disk is looked at again.
const spaceEvery = 16 << 20

// maxName is how many bytes a copy's name may have; a file's has 255 at most, and its
// transfer may put a number to it.
const maxName = 200

// Errors of a copy that does not fit.
var (
	errTooLarge = errors.New("too large for a copy")
	errTooMany  = errors.New("too many copies wait")
	errQuota    = errors.New("the copies that wait have no room for it")
	errSpace    = errors.New("the disk has too little space")
)

// spool keeps copies of files that a browser sent, since it does not tell where they
// lie, for as long as their transfers need them.
//
//	DIR/ID/NAME    ID is that of the transfer
type spool struct {
	dir  string
	free func(dir string) (int64, error) // bytes of the disk
	kick chan struct{}                   // of capacity 1: there is a copy more

	mu    sync.Mutex
	sizes map[string]int64 // by ID
	used  int64            // bytes of all
	open  map[string]bool  // by ID: it is being written
}

// newSpool looks at what a process before has left.
func newSpool(dir string) *spool {
	s := &spool{dir: dir, free: freeSpace, kick: make(chan struct{}, 1), sizes: make(map[string]int64), open: make(map[string]bool)}
	left, _ := os.ReadDir(dir) // nothing, before the first copy
	for _, d := range left {
		var size int64
		filepath.WalkDir(filepath.Join(dir, d.Name()), func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // the size is for the quota alone
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
			return nil
		})
		s.sizes[d.Name()] = size
		s.used += size
	}
	if len(left) > 0 {
		s.kick <- struct{}{}
	}
	return s
}

// room returns errTooLarge, errTooMany, errQuota or errSpace if there is no place for a copy of so
// many bytes.
func (s *spool) room(size int64) error {
	s.mu.Lock()
	count, used := len(s.sizes), s.used
	s.mu.Unlock()
	switch {
	case size > maxUpload:
		return errTooLarge
	case count >= maxCopies:
		return errTooMany
	case used+size > maxSpool:
		return errQuota
	}
	return s.onDisk(size)
}

// onDisk returns errSpace if the disk has no place for so many bytes more.
func (s *spool) onDisk(size int64) error {
	at := s.dir
	if _, err := os.Stat(at); err != nil {
		at = filepath.Dir(at) // it is made with the first copy
	}
	free, err := s.free(at)
	if err != nil {
		return err
	}
	if free-spareSpace < size {
		return errSpace
	}
	return nil
}

// copying is one copy that is being written.
type copying struct {
	*spool
	id      string
	f       *os.File
	written int64
}

// create begins a copy. It is kept or dropped in the end.
func (s *spool) create(id, name string) (*copying, error) {
	dir := filepath.Join(s.dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, copyName(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		os.Remove(dir)
		return nil, err
	}
	s.mu.Lock()
	s.sizes[id], s.open[id] = 0, true
	s.mu.Unlock()
	return &copying{spool: s, id: id, f: f}, nil
}

// Write returns errQuota or errSpace when the limit is reached, whatever was announced.
func (c *copying) Write(b []byte) (int, error) {
	if err := c.take(int64(len(b))); err != nil {
		return 0, err
	}
	if c.written/spaceEvery != (c.written+int64(len(b)))/spaceEvery {
		if err := c.onDisk(0); err != nil {
			return 0, err
		}
	}
	n, err := c.f.Write(b)
	c.written += int64(n)
	return n, full(err)
}

// full says errSpace in the words of the system.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", errSpace, err)
	}
	return err
}

func (c *copying) take(n int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used+n > maxSpool {
		return errQuota
	}
	c.sizes[c.id] += n
	c.used += n
	return nil
}

// keep writes a whole copy to the disk and returns its path.
func (c *copying) keep() (path string, err error) {
	return c.f.Name(), full(errors.Join(c.f.Sync(), c.f.Close()))
}

// settled lets tidying have the copy: from here on its transfer says what becomes of it.
func (c *copying) settled() {
	c.mu.Lock()
	delete(c.open, c.id)
	c.mu.Unlock()
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// drop removes a copy that nobody needs.
func (c *copying) drop() error {
	c.f.Close() // or it is closed already
	return c.remove(c.id)
}

// remove deletes a copy.
func (s *spool) remove(id string) error {
	if err := os.RemoveAll(filepath.Join(s.dir, id)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= s.sizes[id]
	delete(s.sizes, id)
	delete(s.open, id)
	return nil
}

// kept returns the copies that are not being written.
func (s *spool) kept() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.sizes {
		if !s.open[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// holds reports whether there is a copy that is not being written.
func (s *spool) holds(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sizes[id]
	return ok && !s.open[id]
}

// copyName makes a name of a file of what a browser calls it: the last part of a path,
// without control characters, never hidden, and short enough. How it is offered to
// others, package file decides.
func copyName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if name = strings.TrimLeft(name, ". "); name == "" {
		return "file"
	}
	ext := filepath.Ext(name)
	if len(ext) > maxName/2 {
		ext = ""
	}
	base := strings.TrimSuffix(name, ext)
	if most := maxName - len(ext); len(base) > most {
		for most > 0 && !utf8.RuneStart(base[most]) {
			most--
		}
		base = base[:most]
	}
	return base + ext
}
