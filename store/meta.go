package store

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
)

// A meta page says where a transaction's tree begins. There are two, which the
// transactions write in turn, and the valid one of the higher transaction counts:
//
//	page     header, see inspect.go, of type 4; its id is the transaction modulo 2
//	16       magic uint32, version uint32, page size uint32, flags uint32
//	32       root page uint64, sequence uint64
//	48       page of the free list uint64, number of pages uint64, transaction uint64
//	72       FNV-1a of bytes 16 to 71, uint64
const (
	metaPage    = 0x04
	metaSize    = 64 // bytes, without the header of the page
	metaMagic   = 0xED0CDAED
	metaVersion = 2

	minPageSize = 1 << 10
	maxPageSize = 1 << 16
)

type meta struct {
	pageSize uint64
	root     uint64
	freelist uint64
	pages    uint64
	txid     uint64
	raw      [metaSize]byte
}

// parseMeta reports whether b, of metaSize bytes, is one.
func parseMeta(b []byte) (m meta, ok bool) {
	native := binary.NativeEndian
	if native.Uint32(b) != metaMagic || native.Uint32(b[4:]) != metaVersion || native.Uint64(b[56:]) != metaSum(b) {
		return m, false
	}
	m = meta{
		pageSize: uint64(native.Uint32(b[8:])), root: native.Uint64(b[16:]), freelist: native.Uint64(b[32:]),
		pages: native.Uint64(b[40:]), txid: native.Uint64(b[48:]),
	}
	copy(m.raw[:], b)
	return m, true
}

// sized reports whether the size of a page is one that bbolt has.
func (m meta) sized() bool {
	return m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.pageSize&(m.pageSize-1) == 0
}

func metaSum(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b[:56])
	return h.Sum64()
}

// as returns the same of another transaction.
func (m meta) as(txid uint64) meta {
	m.txid = txid
	binary.NativeEndian.PutUint64(m.raw[48:], txid)
	binary.NativeEndian.PutUint64(m.raw[56:], metaSum(m.raw[:]))
	return m
}

// sameTree reports whether both are of the same pages.
func (m meta) sameTree(other meta) bool {
	return m.root == other.root && m.freelist == other.freelist && m.pages == other.pages
}

func metaAt(file io.ReaderAt, at int64) (meta, bool) {
	b := make([]byte, metaSize)
	if _, err := file.ReadAt(b, at+pageHeader); err != nil {
		return meta{}, false
	}
	return parseMeta(b)
}

// newestMeta returns what bbolt takes for the newest transaction of a file.
func newestMeta(file io.ReaderAt) (meta, error) {
	first, ok := metaAt(file, 0)
	size := first.pageSize
	for try := int64(minPageSize); !ok && try <= maxPageSize; try *= 2 {
		var second meta
		second, ok = metaAt(file, try)
		size = second.pageSize
	}
	if !ok {
		return meta{}, damaged("not a store, or its beginning is lost")
	}
	if !(meta{pageSize: size}).sized() {
		return meta{}, damaged(fmt.Sprintf("pages of %d bytes", size))
	}
	newest, page := first, uint64(0)
	second, ok := metaAt(file, int64(size))
	if ok && (newest == meta{} || second.txid > newest.txid) {
		newest, page = second, 1
	}
	if newest.txid%2 != page || newest.pageSize != size {
		return meta{}, damaged("the meta page of the newest transaction is not in its place")
	}
	return newest, nil
}

// counted checks that the file has the pages that meta gives. bbolt multiplies
// their number with the size of a page and does not notice when it overflows: it
// then counts pages for years.
func (m meta) counted(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	switch {
	case m.pages > math.MaxInt64/m.pageSize:
		return damaged(fmt.Sprintf("%d pages in a file of %d bytes", m.pages, info.Size()))
	case m.pages*m.pageSize > uint64(info.Size()):
		return damaged(fmt.Sprintf("cut short: %d bytes, %d are due", info.Size(), m.pages*m.pageSize))
	}
	return nil
}

// place makes the file begin with the tree of m, as transaction txid, which is
// later than any that is there. Nothing is synced.
func (m meta) place(file io.WriterAt, txid uint64) error {
	page := make([]byte, m.pageSize)
	binary.NativeEndian.PutUint64(page, txid%2)
	binary.NativeEndian.PutUint16(page[8:], metaPage)
	raw := m.as(txid).raw
	copy(page[pageHeader:], raw[:])
	_, err := file.WriteAt(page, int64(txid%2*m.pageSize))
	return err
}
