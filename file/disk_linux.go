package file

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// syncsAll: syncAll is one sync for any number of files.
const syncsAll = true

// syncAll writes all of the disk that a folder is on to the disk, syncfs(2), whose
// errors are told since Linux 5.8.
func syncAll(root *os.Root) error {
	return withFd(root, unix.Syncfs)
}

func withFd(root *os.Root, f func(fd int) error) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(int(dir.Fd()))
}

// flush has the system begin to write out a part of a file, so that a sync later
// waits for little.
func flush(f *os.File, from, to uint64) {
	if to > from {
		// It is a hint: whether the bytes are on the disk, the sync says.
		_ = unix.SyncFileRange(int(f.Fd()), int64(from), int64(to-from), unix.SYNC_FILE_RANGE_WRITE)
	}
}

// renameNew moves what is called name in the folder from, which root knows as dir,
// to root, and returns fs.ErrExist rather than replace what has the name there.
func renameNew(root, from *os.Root, dir, name, to string) error {
	err := withFd(from, func(old int) error {
		return withFd(root, func(into int) error {
			return unix.Renameat2(old, name, into, to, unix.RENAME_NOREPLACE)
		})
	})
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return renameByLink(root, dir, name, to)
	case errors.Is(err, unix.EEXIST):
		return fs.ErrExist
	}
	return err
}

// space returns how many bytes this user may still write to the disk of a folder.
func space(folder string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
