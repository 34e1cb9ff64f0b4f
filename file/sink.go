package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// sink is where a transfer is received: a hidden folder within the folder it goes
// to. It is reached through open folders alone, so that no link, whenever it is put
// there, leads a write elsewhere.
type sink struct {
	folder *os.Root
	part   *os.Root
	name   string // of part, within folder
	single bool   // one file, no folder
	walk   walker

	dir     *os.Root // of the current file
	dirPath string
	file    *os.File
	path    string // of file, "" for none
	flushed uint64 // bytes of file that the system was asked to write out
}

// partName is the hidden folder of a transfer.
func partName(id ID) string { return ".contactsd-" + id.String() + ".part" }

// openSink opens the part of a transfer in a folder and makes it if it is missing.
// made says that it was.
func openSink(folder string, id ID, single bool) (k *sink, made bool, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, false, folderError(err)
	}
	k = &sink{name: partName(id), single: single}
	if k.folder, err = os.OpenRoot(folder); err != nil {
		return nil, false, folderError(err)
	}
	err = k.folder.Mkdir(k.name, 0o700)
	made = err == nil
	if err == nil || errors.Is(err, fs.ErrExist) {
		k.part, err = k.folder.OpenRoot(k.name)
	}
	if err == nil {
		err = k.isFolder()
	}
	if err != nil {
		k.close()
		return nil, false, folderError(err)
	}
	return k, made, nil
}

// isFolder makes sure that the part is no link to another folder.
func (k *sink) isFolder() error {
	info, err := k.folder.Lstat(k.name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", k.name)
	}
	return err
}

func (k *sink) close() {
	k.closeFile()
	if k.dir != nil {
		k.dir.Close()
	}
	if k.part != nil {
		k.part.Close()
	}
	if k.folder != nil {
		k.folder.Close()
	}
}

func (k *sink) closeFile() error {
	if k.file == nil {
		return nil
	}
	err := k.file.Close()
	k.file, k.path = nil, ""
	return err
}

// writing is a chunk on its way to the disk: its bytes come in parts.
type writing struct {
	k      *sink
	pieces []piece
	at     int // bytes of the first piece that were written
}

// begin makes ready for the next size bytes.
func (k *sink) begin(size int) (*writing, error) {
	w := &writing{k: k}
	err := k.walk.each(size, func(p piece) error {
		w.pieces = append(w.pieces, p)
		return nil
	})
	return w, err
}

// write takes the next bytes of the chunk. With none it makes the files without
// bytes that are next.
func (w *writing) write(b []byte) error {
	for len(w.pieces) > 0 {
		p := w.pieces[0]
		n := min(p.size-w.at, len(b))
		if n == 0 && p.size > 0 {
			return nil
		}
		if err := w.k.put(p.entry, p.off+uint64(w.at), b[:n]); err != nil {
			return err
		}
		b = b[n:]
		if w.at += n; w.at == p.size {
			w.pieces, w.at = w.pieces[1:], 0
		}
	}
	return nil
}

// put writes bytes to the file of an entry, or makes one that has none.
func (k *sink) put(e entry, off uint64, b []byte) error {
	if e.Dir {
		return folderError(k.part.MkdirAll(filepath.FromSlash(e.Path), 0o777))
	}
	if err := k.turnTo(e, os.O_CREATE|os.O_RDWR); err != nil {
		return err
	}
	if _, err := k.file.WriteAt(b, int64(off)); err != nil {
		return folderError(err)
	}
	if end := off + uint64(len(b)); end-k.flushed >= flushEvery || end < k.flushed {
		flush(k.file, k.flushed, end)
		k.flushed = end
	}
	if off+uint64(len(b)) == e.Size {
		return folderError(k.fit(e))
	}
	return nil
}

// fit gives the current file the size it is to have, which it had unless somebody
// else wrote to it, and closes it.
func (k *sink) fit(e entry) error {
	info, err := k.file.Stat()
	if err == nil && uint64(info.Size()) != e.Size {
		err = k.file.Truncate(int64(e.Size))
	}
	if err == nil && (k.single || !syncsAll) {
		err = k.file.Sync()
	}
	return errors.Join(err, k.closeFile())
}

// turnTo makes the file of an entry the open one.
func (k *sink) turnTo(e entry, flags int) error {
	if k.path == e.Path {
		return nil
	}
	if err := k.closeFile(); err != nil {
		return folderError(err)
	}
	dir, err := k.folderOf(path.Dir(e.Path), flags&os.O_CREATE != 0)
	if err != nil {
		return folderError(err)
	}
	f, err := dir.OpenFile(path.Base(e.Path), flags, 0o666)
	if err != nil {
		return folderError(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", e.Path)
	}
	if err != nil {
		f.Close()
		return folderError(err)
	}
	k.file, k.path, k.flushed = f, e.Path, 0
	return nil
}

// folderOf opens the folder of a path, which stays open for the files beside it.
func (k *sink) folderOf(dir string, create bool) (*os.Root, error) {
	if dir == "." {
		return k.part, nil
	}
	if k.dirPath == dir {
		return k.dir, nil
	}
	if k.dir != nil {
		k.dir.Close()
		k.dir, k.dirPath = nil, ""
	}
	name := filepath.FromSlash(dir)
	if create {
		if err := k.part.MkdirAll(name, 0o777); err != nil {
			return nil, err
		}
	}
	opened, err := k.part.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	k.dir, k.dirPath = opened, dir
	return opened, nil
}

// has reports whether the next len(buf) bytes are there and have the hash. If not,
// they are still the next.
func (k *sink) has(buf []byte, want hash) (bool, error) {
	before, at := k.walk, 0
	err := k.walk.each(len(buf), func(p piece) error {
		if p.Dir {
			info, err := k.part.Stat(filepath.FromSlash(p.Path))
			if err == nil && !info.IsDir() {
				err = fs.ErrNotExist
			}
			return err
		}
		if err := k.turnTo(p.entry, os.O_RDWR); err != nil {
			return err
		}
		if _, err := k.file.ReadAt(buf[at:at+p.size], int64(p.off)); err != nil {
			return err
		}
		at += p.size
		return nil
	})
	if err == nil && hashOf(buf) == want {
		return true, nil
	}
	k.walk = before
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return false, nil
}

// sync returns when the files that are complete are on the disk.
func (k *sink) sync() error {
	if k.single || !syncsAll {
		return nil // each was as it was closed
	}
	return folderError(syncAll(k.part))
}

// held reports whether there is something by the name in the folder.
func (k *sink) held(name string) bool {
	_, err := k.folder.Lstat(name)
	return err == nil
}

// place gives what was received its name in the folder. It returns fs.ErrExist if
// something has it, whatever that is.
func (k *sink) place(final string) error {
	if err := k.closeFile(); err != nil {
		return folderError(err)
	}
	err := error(nil)
	if k.single {
		err = renameNew(k.folder, k.part, k.name, fileName, final)
	} else {
		err = renameNew(k.folder, k.folder, "", k.name, final)
	}
	if err != nil {
		return folderError(err)
	}
	return k.tidy()
}

// placed reports whether what was received has its name already: this device
// stopped before it could note that.
func placed(folder string, id ID, single bool, final string) bool {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return false
	}
	defer root.Close()
	from := partName(id)
	if single {
		from = path.Join(from, fileName)
	}
	_, missing := root.Lstat(from)
	_, err = root.Lstat(final)
	return err == nil && errors.Is(missing, fs.ErrNotExist)
}

// tidy removes the empty part of a single file, and syncs the folder.
func (k *sink) tidy() error {
	if k.single {
		if err := k.folder.RemoveAll(k.name); err != nil {
			return folderError(err)
		}
	}
	dir, err := k.folder.Open(".")
	if err != nil {
		return folderError(err)
	}
	defer dir.Close()
	return folderError(dir.Sync())
}

// discard removes what was received of a transfer that will not be completed.
func discard(folder string, id ID) error {
	root, err := os.OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return folderError(err)
	}
	defer root.Close()
	return folderError(root.RemoveAll(partName(id)))
}

// folderError is an error of the folder as the user is told it.
func folderError(err error) error {
	switch {
	case err == nil, errors.Is(err, errFolder), errors.Is(err, errSpace), errors.Is(err, fs.ErrExist):
		return err
	case isFull(err):
		return fmt.Errorf("%w: the disk is full", errSpace)
	}
	return fmt.Errorf("%w: %w", errFolder, err)
}

var (
	// errFolder: the folder for received files can't be used.
	errFolder = errors.New("folder can't be used")
	// errSpace: the disk of the folder has too little space.
	errSpace = errors.New("too little space")
)
