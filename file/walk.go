package file

import "fmt"

// walker goes along the files of a transfer as along one row of bytes.
type walker struct {
	load    func(page uint64) (list, error)
	pages   uint64
	loaded  uint64 // pages that were
	entries []entry
	off     uint64 // within the first of entries
}

// piece is a part of a file, or a whole one without bytes.
type piece struct {
	entry
	off  uint64
	size int
}

// next returns what follows, at most so many bytes of it. ok is false when there
// is no more, or when the next has bytes and none are wanted.
func (w *walker) next(most int) (p piece, ok bool, err error) {
	for len(w.entries) == 0 {
		if w.loaded == w.pages {
			return piece{}, false, nil
		}
		l, err := w.load(w.loaded)
		if err != nil {
			return piece{}, false, err
		}
		w.entries = l.Entries
		w.loaded++
	}
	e := w.entries[0]
	if e.Size > 0 && most == 0 {
		return piece{}, false, nil
	}
	p = piece{e, w.off, int(min(uint64(most), e.Size-w.off))}
	if w.off += uint64(p.size); w.off == e.Size {
		w.entries, w.off = w.entries[1:], 0
	}
	return p, true, nil
}

// each calls f with what the next size bytes are of, and with the files without
// bytes on the way.
func (w *walker) each(size int, f func(piece) error) error {
	for {
		p, ok, err := w.next(size)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := f(p); err != nil {
			return err
		}
		size -= p.size
	}
	if size > 0 {
		return fmt.Errorf("%w: fewer bytes in the list of files than offered", errProtocol)
	}
	return nil
}

// skip passes by so many bytes, whole chunks at a time.
func (w *walker) skip(size uint64) error {
	for size > 0 {
		n := min(size, ChunkSize)
		if err := w.each(int(n), func(piece) error { return nil }); err != nil {
			return err
		}
		size -= n
	}
	return nil
}
