package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// bbolt trusts its file: a damaged page may make it panic, read outside of the
// file, ask for any amount of memory, or run in a circle. So before it may
// open it, the pages are looked through here. The layout, in the machine's byte
// order, as of go.etcd.io/bbolt/internal/common:
//
//	page     id uint64, flags uint16, count uint16, overflow uint32, elements
//	branch   elements: pos uint32, key size uint32, page uint64
//	leaf     elements: flags uint32, pos uint32, key size uint32, value size uint32
//	bucket   value of a leaf element with flag 1: root page uint64, sequence
//	         uint64; root page 0: a leaf page follows in the value itself
//	free     count page ids; a count of 0xffff: the first id is the true count
//	meta     see meta.go
//
// pos counts from the beginning of the element.
const (
	pageHeader   = 16
	elementSize  = 16
	bucketHeader = 16
	branchPage   = 0x01
	leafPage     = 0x02
	freePage     = 0x10
	bucketFlag   = 0x01
	noFreelist   = ^uint64(0)
	firstPage    = 2 // after the two meta pages

	// A file above it is not looked through whole, or starting would take long.
	maxInspected = 256 << 20 // bytes
)

type inspector struct {
	file     *os.File
	pageSize uint64
	end      uint64 // number of pages
	seen     []bool
	next     []uint64 // pages of the next level

	buffer []byte // of the window, pages that lie close together
	window []byte
	first  uint64 // page of the window
}

// newInspector looks at the pages of a file that meta counts.
func newInspector(file *os.File, m meta) *inspector {
	return &inspector{file: file, pageSize: m.pageSize, end: m.pages, seen: make([]bool, m.pages)}
}

// inspect returns an error that wraps ErrCorrupt unless the pages of a meta page
// are whole.
func inspect(file *os.File, m meta) error {
	if err := m.counted(file); err != nil {
		return err
	}
	i := newInspector(file, m)
	if m.pages*m.pageSize <= maxInspected {
		if err := i.tree(m.root); err != nil {
			return err
		}
	}
	return i.freelist(m.freelist)
}

// tree follows all pages from root on, level by level and each level in the order
// of the file. Each may be reached once.
func (i *inspector) tree(root uint64) error {
	i.next = append(i.next, root)
	for len(i.next) > 0 {
		level := i.next
		i.next = nil
		slices.Sort(level)
		for len(level) > 0 {
			n, err := i.read(level)
			if err != nil {
				return err
			}
			for _, id := range level[:n] {
				if err := i.node(id); err != nil {
					return err
				}
			}
			level = level[n:]
		}
	}
	return nil
}

func (i *inspector) node(id uint64) error {
	p, err := i.page(id)
	if err != nil {
		return err
	}
	switch flags := binary.NativeEndian.Uint16(p[8:]); flags {
	case branchPage:
		err = i.branch(p)
	case leafPage:
		err = i.leaf(p)
	default:
		err = fmt.Errorf("type %#x", flags)
	}
	if err != nil {
		return damaged(fmt.Sprintf("page %d: %v", id, err))
	}
	return nil
}

// How pages are read: those that lie close together at once.
const (
	windowPages = 64
	windowGap   = 8 // pages that are read in vain
)

// read fills the window with the first of some pages, given in the order of the
// file, and those close behind it, and says how many of them it has.
func (i *inspector) read(ids []uint64) (n int, err error) {
	for _, id := range ids[:min(len(ids), windowPages)] {
		if id < firstPage || id >= i.end {
			return 0, damaged(fmt.Sprintf("page %d of %d", id, i.end))
		}
		if n > 0 && (id-ids[n-1] > windowGap || id-ids[0] >= windowPages) {
			break
		}
		n++
	}
	i.first = ids[0]
	size := (ids[n-1] - i.first + 1) * i.pageSize
	if i.buffer == nil {
		i.buffer = make([]byte, windowPages*i.pageSize)
	}
	i.window = i.buffer[:size]
	_, err = i.file.ReadAt(i.window, int64(i.first*i.pageSize))
	return n, err
}

// readPage is read and page for one alone.
func (i *inspector) readPage(id uint64) ([]byte, error) {
	if _, err := i.read([]uint64{id}); err != nil {
		return nil, err
	}
	return i.page(id)
}

// page returns a page of the window with those it runs over into, until the next
// is read, and marks them as seen.
func (i *inspector) page(id uint64) ([]byte, error) {
	at := (id - i.first) * i.pageSize
	p := i.window[at : at+i.pageSize]
	overflow := uint64(binary.NativeEndian.Uint32(p[12:]))
	if binary.NativeEndian.Uint64(p) != id || overflow >= i.end-id {
		return nil, damaged(fmt.Sprintf("page %d is not what it should be", id))
	}
	for n := id; n <= id+overflow; n++ {
		if i.seen[n] {
			return nil, damaged(fmt.Sprintf("page %d is used twice", n))
		}
		i.seen[n] = true
	}
	if overflow > 0 {
		p = make([]byte, (overflow+1)*i.pageSize)
		if _, err := i.file.ReadAt(p, int64(id*i.pageSize)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (i *inspector) branch(p []byte) error {
	count := uint64(binary.NativeEndian.Uint16(p[10:]))
	if count == 0 || pageHeader+count*elementSize > uint64(len(p)) {
		return fmt.Errorf("%d elements", count)
	}
	for n := range count {
		at := pageHeader + n*elementSize
		e := p[at : at+elementSize]
		if err := inside(p, at, binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]), 0); err != nil {
			return err
		}
		i.next = append(i.next, binary.NativeEndian.Uint64(e[8:]))
	}
	return nil
}

func (i *inspector) leaf(p []byte) error {
	return elements(p, func(nested bool, _, value []byte) error {
		if !nested {
			return nil
		}
		return i.bucket(value)
	})
}

// elements calls f with each element of a leaf page; nested ones are buckets.
func elements(p []byte, f func(nested bool, key, value []byte) error) error {
	count := uint64(binary.NativeEndian.Uint16(p[10:]))
	if pageHeader+count*elementSize > uint64(len(p)) {
		return fmt.Errorf("%d elements", count)
	}
	for n := range count {
		at := pageHeader + n*elementSize
		e := p[at : at+elementSize]
		pos, key, value := binary.NativeEndian.Uint32(e[4:]), binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
		if err := inside(p, at, pos, key, value); err != nil {
			return err
		}
		begin := at + uint64(pos)
		middle := begin + uint64(key)
		if err := f(binary.NativeEndian.Uint32(e)&bucketFlag != 0, p[begin:middle], p[middle:middle+uint64(value)]); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) bucket(v []byte) error {
	root, inline, err := openBucket(v)
	switch {
	case err != nil:
		return err
	case inline != nil:
		return i.leaf(inline)
	}
	i.next = append(i.next, root)
	return nil
}

// rows calls f with each element below a page, and stops at an error.
func (i *inspector) rows(root uint64, f func(nested bool, key, value []byte) error) error {
	for todo := []uint64{root}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p, err := i.readPage(id)
		if err != nil {
			return err
		}
		p = bytes.Clone(p) // f may read others
		if binary.NativeEndian.Uint16(p[8:]) == branchPage {
			i.next = i.next[:0]
			err = i.branch(p)
			todo = append(todo, i.next...)
		} else {
			err = elements(p, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsOf is rows for a bucket, given its value.
func (i *inspector) rowsOf(bucket []byte, f func(nested bool, key, value []byte) error) error {
	root, inline, err := openBucket(bucket)
	switch {
	case err != nil:
		return err
	case inline != nil:
		return elements(inline, f)
	}
	return i.rows(root, f)
}

// openBucket returns the page of a bucket's root, or the leaf within its value.
func openBucket(v []byte) (root uint64, inline []byte, err error) {
	if len(v) < bucketHeader {
		return 0, nil, fmt.Errorf("bucket of %d bytes", len(v))
	}
	if root := binary.NativeEndian.Uint64(v); root != 0 {
		return root, nil, nil
	}
	inline = v[bucketHeader:]
	if len(inline) < pageHeader || binary.NativeEndian.Uint16(inline[8:]) != leafPage {
		return 0, nil, errors.New("bucket that is no leaf")
	}
	return 0, inline, nil
}

// inside checks that an element's key and value lie behind it in its page.
func inside(p []byte, at uint64, pos, key, value uint32) error {
	if key == 0 || key > bbolt.MaxKeySize || pos < elementSize || at+uint64(pos)+uint64(key)+uint64(value) > uint64(len(p)) {
		return fmt.Errorf("element at %d reaches out of the page", at)
	}
	return nil
}

// freelist checks that the list on page id is bounded and no page of it is in use.
func (i *inspector) freelist(id uint64) error {
	if id == noFreelist {
		return damaged("without list of free pages")
	}
	p, err := i.readPage(id)
	if err != nil {
		return err
	}
	if binary.NativeEndian.Uint16(p[8:]) != freePage {
		return damaged("the list of free pages is none")
	}
	ids := p[pageHeader:]
	count := uint64(binary.NativeEndian.Uint16(p[10:]))
	if count == 0xffff {
		count = binary.NativeEndian.Uint64(ids)
		ids = ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damaged(fmt.Sprintf("%d free pages in a list of %d", count, len(ids)/8))
	}
	for n := range count {
		free := binary.NativeEndian.Uint64(ids[n*8:])
		if free < firstPage || free >= i.end || i.seen[free] {
			return damaged(fmt.Sprintf("free page %d is none", free))
		}
		i.seen[free] = true
	}
	return nil
}
