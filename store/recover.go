package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// What a store holds that was not closed: between two checkpoints bbolt's pages
// and meta pages reach the disk in any order, or not at all. The pages of the last
// checkpoint are not written over until there is another one, and the log has its
// meta page and everything that was committed since. So whatever is there is put
// back to the checkpoint, and the log is done again.
//
// Which of the files counts is decided by what they say of each other. Meta pages
// of a transaction that is no checkpoint have no list of free pages. One that is
// written when power fails may be garbled, and the next one goes over that of the
// checkpoint: what is left then may be of before it.
//
//	the newest meta page                     what counts
//	of the transaction before the log's      the log
//	checkpoint, or none that can be read,
//	and that checkpoint is in the file
//	of a transaction without a mark          the file: it was closed, or never had a log
//	of a checkpoint that the log follows     the log
//	of a checkpoint that it does not follow  the file: the log is of before
//	of a checkpoint, and there is no log     neither: it was there before the mark was
//	of none, and the log's checkpoint is in  the log
//	the file, whole, and no transaction in
//	it is later than the log knows of
//	otherwise                                neither: they don't belong together
//
// Doing it again changes nothing that a second attempt needs, and ends with a
// commit that needs no log: it may be cut off at any point.

// markKey is of the checkpoint in the meta bucket of a store whose format is
// formatLogged: nonce 16 bytes, transaction uint64. A store of the other format, as
// it is once it was closed, has none, and programs without a log refuse this one.
const markKey = "checkpoint"

// txidGap is more than the transactions that were begun and that the log does not
// know of: the one whose record was being written, and a checkpoint after it.
// After a recovery all are later than that, so that the old log can't seem to be
// of the same time.
const txidGap = 16

var errUnclosed = errors.New("it was not closed, and its log, which holds what was written last, is missing or is another's: put back both files as they were")

// mark is what a store says of its last checkpoint.
type mark struct {
	nonce nonce
	txid  uint64 // 0: there is none
}

func (m mark) encode() []byte { return binary.BigEndian.AppendUint64(m.nonce[:], m.txid) }

// decodeMark returns the zero mark for what is none.
func decodeMark(b []byte) mark {
	if len(b) != len(nonce{})+8 {
		return mark{}
	}
	return mark{nonce(b[:16]), binary.BigEndian.Uint64(b[16:])}
}

// head is what a store says of itself, in its meta bucket.
type head map[string][]byte

func (h head) Get(key []byte) []byte { return h[string(key)] }

// readHead returns the head of a meta page's tree.
func readHead(file *os.File, m meta) (head, error) {
	h := make(head)
	i := newInspector(file, m)
	err := i.rows(m.root, func(nested bool, key, value []byte) error {
		if !nested || string(key) != metaBucket {
			return nil
		}
		return i.rowsOf(value, func(_ bool, key, value []byte) error {
			h[string(key)] = value
			return nil
		})
	})
	return h, err
}

// readMark returns the mark of a meta page's tree, or the zero one.
func readMark(file *os.File, m meta) (mark, error) {
	h, err := readHead(file, m)
	return decodeMark(h[markKey]), err
}

// examine looks through the file of a store, which is locked, and returns what is
// to be done again, nil if nothing is. The error wraps ErrCorrupt if what is there
// is not whole.
func examine(file *os.File, path string) (*walContent, error) {
	newest, whole := newestMeta(file)
	log, logErr := readWAL(path + walSuffix)
	gone := errors.Is(logErr, fs.ErrNotExist)
	if logErr != nil && !gone && !errors.Is(logErr, ErrCorrupt) {
		return nil, logErr
	}
	var last mark
	if whole == nil {
		whole = inspect(file, newest)
	}
	if whole == nil {
		last, whole = readMark(file, newest)
	}
	switch {
	case log != nil && newest.txid < log.meta.txid && log.belongs(file, newest):
	case whole == nil && last == mark{}:
		return nil, nil
	case whole == nil && last.txid == newest.txid && !gone:
		if log == nil || log.nonce != last.nonce || logErr == nil && len(log.payloads) == 0 {
			return nil, nil
		}
	case log != nil && log.belongs(file, newest):
	case whole != nil && newest.freelist != noFreelist:
		return nil, whole
	default:
		return nil, damaged(errUnclosed)
	}
	if logErr != nil {
		return nil, logErr
	}
	log.txid = max(log.txid, newest.txid) + txidGap
	return log, nil
}

// belongs reports whether a log continues the checkpoint of a file, given the
// newest meta page, the zero one if there is none that can be read.
func (c *walContent) belongs(file *os.File, newest meta) bool {
	m := c.meta
	known := newest == meta{}
	if !known && m.pageSize == newest.pageSize {
		// One before the checkpoint is left where those after it were garbled. The
		// checkpoint's own tree under another number is that of an earlier attempt.
		known = newest.txid+1 >= m.txid && newest.txid <= c.txid+1 || newest.sameTree(m)
	}
	if !known || inspect(file, m) != nil {
		return false
	}
	found, err := readMark(file, m)
	return err == nil && found == mark{c.nonce, m.txid}
}

// lock takes the lock that bbolt will take, on the same file, and keeps it.
func lock(file *os.File, how int) error {
	const again = 50 * time.Millisecond
	for waited := time.Duration(0); ; waited += again {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if waited >= lockTimeout {
			return berrors.ErrTimeout
		}
		<-time.After(again)
	}
}

// refuseNewer returns an error that wraps ErrNewer if a newer program left what is to
// be done again. The log can't change that: only checkpoints bring tables to a version.
func (c *walContent) refuseNewer(file *os.File, specs []spec) error {
	h, err := readHead(file, c.meta)
	if err != nil {
		return err
	}
	return newer(h, specs)
}

// openToWrite opens the file of a store and puts it back to its checkpoint if that
// is necessary; todo is then to be done again.
func openToWrite(path string, sync bool, specs []spec) (file *os.File, todo *walContent, err error) {
	file, err = os.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return nil, nil, err
	}
	if err = lock(file, unix.LOCK_EX); err == nil {
		todo, err = examine(file, path)
	}
	if err == nil && todo != nil {
		err = todo.refuseNewer(file, specs)
	}
	if err == nil && todo != nil {
		err = todo.meta.place(file, todo.txid)
	}
	if err == nil && sync {
		// The process before may have been killed between writing and syncing a
		// checkpoint. What is read of it now must not be gone after a power cut.
		err = file.Sync()
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, todo, nil
}

// openToRead opens the file of a store; of one that was not closed, a copy in the
// folder for temporary files, in which the log is done. held has the lock and is to be
// closed last. If the store is not whole, the file is returned with the error.
func openToRead(path string) (file, held *os.File, err error) {
	held, err = os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if err = lock(held, unix.LOCK_SH); err != nil {
		held.Close()
		return nil, nil, err
	}
	todo, err := examine(held, path)
	if err == nil && todo != nil {
		err = todo.refuseNewer(held, nil)
	}
	if err == nil && todo != nil {
		if file, err = redone(held, todo); err == nil {
			return file, held, nil
		}
	}
	file, dupErr := duplicate(held)
	if dupErr != nil {
		held.Close()
		return nil, nil, dupErr
	}
	return file, held, err
}

// redone returns a copy of a store's file without a name in which the log is done.
func redone(from *os.File, todo *walContent) (*os.File, error) {
	file, err := os.CreateTemp("", "contactsd-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(file.Name())
	if err == nil {
		_, err = io.Copy(file, io.NewSectionReader(from, 0, 1<<62))
	}
	if err == nil {
		err = todo.meta.place(file, todo.txid)
	}
	var own *os.File
	if err == nil {
		own, err = duplicate(file)
	}
	if err == nil {
		db := &DB{noSync: true}
		if err = db.openBolt(own, Options{NoSync: true}); err == nil {
			err = errors.Join(db.redo(todo), db.bolt.Close())
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func duplicate(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), syscall.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// redo does what a log holds again.
func (db *DB) redo(todo *walContent) error {
	return db.alone(func(b *bbolt.Tx) error {
		return contain(func() error {
			for _, payload := range todo.payloads {
				if err := replay(b, payload); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Files returns the paths of a store's files: its own, and its log, which is there
// while the store is open and after it was not closed. Copies of both that were made
// while no Update was under way hold what was acknowledged.
func Files(path string) []string { return []string{path, path + walSuffix} }

// Copy copies the files of a store, of which none is at to. Nobody writes to the
// store meanwhile; whether it was closed does not matter. What is there of the
// copy if there is an error is of no use.
func Copy(from, to string) error {
	names := Files(to)
	for i, name := range Files(from) {
		if err := copyFile(name, names[i]); err != nil && (i == 0 || !os.IsNotExist(err)) {
			return fmt.Errorf("copy store: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
