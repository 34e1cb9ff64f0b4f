package file

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"contactsd/internal/codec"
)

// manifest is what preparing makes: the pages are kept as they are full.
type manifest struct {
	save func([]savedPage) error

	entries []entry
	cost    int // of them, in bytes of a page
	hashes  []byte
	chunk   []byte // what is not hashed yet
	index   index
	files   uint64
	size    uint64
	left    uint64 // links and devices that were left out
}

func newManifest(save func([]savedPage) error) *manifest {
	return &manifest{save: save, chunk: make([]byte, 0, ChunkSize)}
}

// addFile takes the file that root has as name.
func (m *manifest) addFile(ctx context.Context, root *os.Root, name, path string) error {
	f, err := root.Open(name)
	if err != nil {
		return sourceError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return sourceError(err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s: no file", ErrSource, filepath.Base(name))
	}
	e := entry{Path: path, Size: uint64(info.Size()), changed: info.ModTime().UnixNano()}
	if err := m.add(e); err != nil {
		return err
	}
	return m.read(ctx, f, e.Size)
}

// add takes an entry, whose bytes follow.
func (m *manifest) add(e entry) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSource, filepath.Base(e.Path), err)
	}
	if m.files++; m.files > MaxFiles {
		return fmt.Errorf("%w: more than %d files; send it in parts", ErrSource, MaxFiles)
	}
	if m.size += e.Size; m.size > MaxSize {
		return fmt.Errorf("%w: more than %d bytes; send it in parts", ErrSource, uint64(MaxSize))
	}
	if len(m.entries) == maxListed || listOverhead+m.cost+e.cost() > maxPage {
		if err := m.endList(); err != nil {
			return err
		}
	}
	m.entries = append(m.entries, e)
	m.cost += e.cost()
	return nil
}

// read hashes so many bytes of f.
func (m *manifest) read(ctx context.Context, f *os.File, size uint64) error {
	off := int64(0)
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		room := m.chunk[len(m.chunk):cap(m.chunk)]
		room = room[:min(uint64(len(room)), size)]
		n, err := f.ReadAt(room, off)
		if n < len(room) {
			if err == nil || n > 0 {
				return errChanged
			}
			return sourceError(err)
		}
		m.chunk = m.chunk[:len(m.chunk)+n]
		off, size = off+int64(n), size-uint64(n)
		if len(m.chunk) == cap(m.chunk) {
			if err := m.endChunk(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *manifest) endChunk() error {
	h := hashOf(m.chunk)
	m.chunk = m.chunk[:0]
	if m.hashes = append(m.hashes, h[:]...); len(m.hashes) < pageHashes*len(h) {
		return nil
	}
	return m.endHashes()
}

func (m *manifest) endHashes() error {
	err := m.save([]savedPage{{pageHash, uint64(len(m.index.hashes)), m.hashes}})
	m.index.hashes = append(m.index.hashes, hashOf(m.hashes))
	m.hashes = nil
	return err
}

func (m *manifest) endList() error {
	if len(m.index.lists) == maxLists {
		return fmt.Errorf("%w: names of files too long together; send it in parts", ErrSource)
	}
	data, err := codec.Marshal(list{m.entries})
	if err != nil {
		return err
	}
	changed := make([]int64, len(m.entries))
	for i, e := range m.entries {
		changed[i] = e.changed
	}
	times, err := codec.Marshal(changed)
	if err != nil {
		return err
	}
	n := uint64(len(m.index.lists))
	m.index.lists = append(m.index.lists, hashOf(data))
	m.entries, m.cost = nil, 0
	return m.save([]savedPage{{pageList, n, data}, {pageTimes, n, times}})
}

// end keeps what is not kept yet and returns the hash of all.
func (m *manifest) end() (root hash, err error) {
	if len(m.chunk) > 0 {
		if err := m.endChunk(); err != nil {
			return root, err
		}
	}
	if len(m.hashes) > 0 {
		if err := m.endHashes(); err != nil {
			return root, err
		}
	}
	if len(m.entries) > 0 {
		if err := m.endList(); err != nil {
			return root, err
		}
	}
	all := m.index.bytes()
	return hashOf(all), m.save([]savedPage{{pageIndex, 0, all}})
}

// scan adds what is at path: a file, or a folder with all below it. Links and
// whatever else is no file are left out and counted.
func (m *manifest) scan(ctx context.Context, path string, dir bool) error {
	base := path
	if !dir {
		base = filepath.Dir(path)
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return sourceError(err)
	}
	defer root.Close()
	if !dir {
		return m.addFile(ctx, root, filepath.Base(path), fileName)
	}
	if err := m.scanDir(ctx, root); err != nil {
		return err
	}
	if m.files == 0 {
		return fmt.Errorf("%w: an empty folder", ErrSource)
	}
	return nil
}

func (m *manifest) scanDir(ctx context.Context, root *os.Root) error {
	var empty string // the folder seen last, if nothing in it was taken
	keep := func() error {
		if empty == "" {
			return nil
		}
		e := entry{Path: empty, Dir: true}
		empty = ""
		return m.add(e)
	}
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return sourceError(err)
		case p == ".":
			return nil
		case !utf8.ValidString(p):
			return fmt.Errorf("%w: %q: the name is no UTF-8", ErrSource, p)
		case empty != "" && !within(p, empty):
			if err := keep(); err != nil {
				return err
			}
		}
		switch {
		case d.IsDir():
			empty = p
			return nil
		case !d.Type().IsRegular():
			m.left++
			return nil
		}
		empty = ""
		return m.addFile(ctx, root, filepath.FromSlash(p), p)
	})
	if err != nil {
		return err
	}
	return keep()
}

// within reports whether a path is below a folder.
func within(p, dir string) bool {
	return len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/'
}
