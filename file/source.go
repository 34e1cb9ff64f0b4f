package file

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// source is the files that are sent, read within one folder: a link that leads
// out of it is not followed, whenever it was put there.
type source struct {
	root *os.Root
	file string // its name, if it is no folder
	walk walker
	open *os.File
	name string // path of open
}

var errChanged = fmt.Errorf("%w: it was changed since it was offered", ErrSource)

// openSource opens what a transfer sends: a folder, or the folder of the file.
func openSource(path string, dir bool) (*source, error) {
	s := &source{}
	if !dir {
		path, s.file = filepath.Dir(path), filepath.Base(path)
	}
	var err error
	if s.root, err = os.OpenRoot(path); err != nil {
		return nil, sourceError(err)
	}
	return s, nil
}

func (s *source) close() {
	if s.open != nil {
		s.open.Close()
	}
	s.root.Close()
}

// read fills buf with what follows.
func (s *source) read(buf []byte) error {
	at := 0
	return s.walk.each(len(buf), func(p piece) error {
		if p.size == 0 {
			return nil
		}
		if err := s.turnTo(p.entry); err != nil {
			return err
		}
		if _, err := s.open.ReadAt(buf[at:at+p.size], int64(p.off)); err != nil {
			if errors.Is(err, io.EOF) {
				return errChanged
			}
			return sourceError(err)
		}
		at += p.size
		return nil
	})
}

// turnTo makes the file of an entry the open one.
func (s *source) turnTo(e entry) error {
	if s.open != nil && s.name == e.Path {
		return nil
	}
	if s.open != nil {
		s.open.Close()
		s.open = nil
	}
	f, err := s.root.Open(cmp.Or(s.file, filepath.FromSlash(e.Path)))
	if err != nil {
		return sourceError(err)
	}
	s.open, s.name = f, e.Path
	return s.unchanged(e)
}

// unchanged returns errChanged if the open file is not what was offered.
func (s *source) unchanged(e entry) error {
	info, err := s.open.Stat()
	switch {
	case err != nil:
		return sourceError(err)
	case !info.Mode().IsRegular() || uint64(info.Size()) != e.Size || info.ModTime().UnixNano() != e.changed:
		return errChanged
	}
	return nil
}

// sourceError names what went wrong without repeating the whole path, which the
// contact may be told.
func sourceError(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%w: %s: %w", ErrSource, filepath.Base(path.Path), path.Err)
	}
	return fmt.Errorf("%w: %w", ErrSource, err)
}
