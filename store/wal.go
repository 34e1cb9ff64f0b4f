package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The write-ahead log lies beside the store, in blocks of 4 KiB:
//
//	block 0   magic 16 bytes, nonce 16 bytes, the checkpoint's meta 64 bytes as
//	          bbolt has it, CRC-32C of bytes 0 to 95 uint32
//	block 1…  records, each from the beginning of a block on:
//	          nonce 16 bytes, number uint64 from 1, transaction uint64, length
//	          uint32, CRC-32C of bytes 0 to 35 and the payload uint32, payload
//
// Integers are big endian, but for what bbolt has written. Payloads see redo.go.
//
// The log is written over from its beginning after each checkpoint: a record
// counts only with the nonce of the header, and if all those before it count.
// Since records share no block, writing one can't damage one that was acknowledged.
const (
	walSuffix       = "-wal"
	walMagic        = "contactsd log 1\n"
	walBlock        = 4 << 10
	walHeader       = 100
	walRecordHeader = 40

	// What a log is made with, and what it grows to when it is filled.
	minWALSize = 1 << 20
	maxWALSize = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// nonce names a checkpoint, in the store and in its log: what does not have the
// same does not belong together.
type nonce [16]byte

// wal is a log that is written. Its methods are called by one goroutine at a time.
type wal struct {
	file medium
	size int64

	nonce   nonce
	meta    meta   // of the checkpoint
	records uint64 // since the checkpoint
	next    int64  // where another one begins
	last    int64  // where the newest one begins
}

// medium is a file that can be synced.
type medium interface {
	io.WriterAt
	Sync() error
	Close() error
}

// fdatasynced is a file whose Sync leaves out what reading it does not need.
type fdatasynced struct{ *os.File }

func (f fdatasynced) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return err
		}
	}
}

// createWAL opens the log at path, or makes it. Its blocks are written once
// beforehand: syncing what lies where something lay already is one write of
// the disk, and needs no space when there is none left.
func createWAL(path string) (*wal, error) {
	_, err := os.Stat(path)
	isNew := err != nil
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	w := &wal{file: fdatasynced{file}}
	err = func() error {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		w.size = min(info.Size()/walBlock*walBlock, maxWALSize)
		if w.size < minWALSize {
			if err := w.grow(minWALSize); err != nil {
				return err
			}
		}
		// Also of one that is there: who made it may have been killed before this.
		return syncDir(filepath.Dir(path))
	}()
	if err != nil {
		file.Close()
		if isNew {
			os.Remove(path)
		}
		return nil, err
	}
	return w, nil
}

// grow writes zeros up to size and syncs them.
func (w *wal) grow(size int64) error {
	if _, err := w.file.WriteAt(make([]byte, size-w.size), w.size); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.size = size
	return nil
}

// begin starts anew after a checkpoint. Nothing is written before the first
// record is: until then the store is whole without its log.
func (w *wal) begin(n nonce, m meta) {
	w.nonce, w.meta, w.records, w.next = n, m, 0, walBlock
}

func blocks(size int) int64 { return (int64(size) + walBlock - 1) / walBlock * walBlock }

// fits reports whether there is space for a record, given with its header.
func (w *wal) fits(record []byte) bool { return w.next+blocks(len(record)) <= w.size }

// append writes the record of a transaction and syncs it. Its first
// walRecordHeader bytes are filled in. After an error of the sync, as isSync says,
// nobody knows what the disk has; else erase makes sure that it has no such record.
func (w *wal) append(txid uint64, record []byte) error {
	if w.records == 0 {
		if _, err := w.file.WriteAt(encodeHeader(w.nonce, w.meta), 0); err != nil {
			return err
		}
	}
	record = sealRecord(record, w.nonce, w.records+1, txid)
	if _, err := w.file.WriteAt(record, w.next); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.records++
	w.last = w.next
	w.next += int64(len(record))
	return nil
}

// cancel takes back the newest record.
func (w *wal) cancel() error {
	w.records--
	w.next = w.last
	return w.erase()
}

// erase makes sure that there is no record where the next one begins.
func (w *wal) erase() error {
	if _, err := w.file.WriteAt(make([]byte, walBlock), w.next); err != nil {
		return err
	}
	return w.file.Sync()
}

func encodeHeader(n nonce, m meta) []byte {
	block := make([]byte, 0, walBlock)
	block = append(block, walMagic...)
	block = append(block, n[:]...)
	block = append(block, m.raw[:]...)
	block = binary.BigEndian.AppendUint32(block, crc32.Checksum(block, castagnoli))
	return block[:walBlock]
}

// sealRecord fills in the header of a record and pads it to whole blocks.
func sealRecord(record []byte, n nonce, number, txid uint64) []byte {
	copy(record, n[:])
	binary.BigEndian.PutUint64(record[16:], number)
	binary.BigEndian.PutUint64(record[24:], txid)
	binary.BigEndian.PutUint32(record[32:], uint32(len(record)-walRecordHeader))
	binary.BigEndian.PutUint32(record[36:], recordSum(record))
	return append(record, make([]byte, blocks(len(record))-int64(len(record)))...)
}

func recordSum(record []byte) uint32 {
	return crc32.Update(crc32.Checksum(record[:36], castagnoli), castagnoli, record[walRecordHeader:])
}

// walContent is what a log holds.
type walContent struct {
	nonce    nonce
	meta     meta     // of the checkpoint that the records follow
	payloads [][]byte // of the records, in their order
	txid     uint64   // of the last record, else of the checkpoint
}

// readWAL returns nil for a log that was not begun. The error wraps ErrCorrupt if one
// of the records is lost, and fs.ErrNotExist if there is no log at path.
// What it returns with ErrCorrupt only tells which log that is.
func readWAL(path string) (*walContent, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(info.Size(), maxWALSize))
	if _, err := file.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return decodeWAL(data)
}

func decodeWAL(data []byte) (*walContent, error) {
	if len(data) < walBlock || string(data[:16]) != walMagic ||
		binary.BigEndian.Uint32(data[96:]) != crc32.Checksum(data[:96], castagnoli) {
		return nil, nil
	}
	m, ok := parseMeta(data[32:96])
	if !ok || !m.sized() {
		return nil, nil
	}
	c := &walContent{nonce: nonce(data[16:32]), meta: m, txid: m.txid}
	at := walBlock
	for at < len(data) {
		record := decodeRecord(data[at:], c.nonce)
		if record == nil || binary.BigEndian.Uint64(record[16:]) != uint64(len(c.payloads))+1 {
			break
		}
		c.payloads = append(c.payloads, record[walRecordHeader:])
		c.txid = binary.BigEndian.Uint64(record[24:])
		at += int(blocks(len(record)))
	}
	// A record is written when all those before it are on the disk. So one that can't
	// be read is the last one, in the midst of which power failed; with others behind
	// it, it was on the disk and is lost.
	lost := false
	for behind := at; behind < len(data); behind += walBlock {
		if record := decodeRecord(data[behind:], c.nonce); record != nil {
			lost = true
			c.txid = max(c.txid, binary.BigEndian.Uint64(record[24:]))
		}
	}
	if lost {
		return c, damaged(fmt.Sprintf("record %d of its log is lost, and what follows it", len(c.payloads)+1))
	}
	return c, nil
}

// decodeRecord returns the record at the beginning of data, nil if there is none.
func decodeRecord(data []byte, n nonce) []byte {
	if len(data) < walRecordHeader || !bytes.Equal(data[:16], n[:]) {
		return nil
	}
	length := binary.BigEndian.Uint32(data[32:])
	if length > math.MaxInt32 || int(length) > len(data)-walRecordHeader {
		return nil
	}
	record := data[:walRecordHeader+int(length)]
	if binary.BigEndian.Uint32(record[36:]) != recordSum(record) {
		return nil
	}
	return record
}
