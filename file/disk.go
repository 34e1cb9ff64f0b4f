package file

import (
	"os"
	"path"
)

// flushEvery is after how many bytes of a file the system is asked to write out.
const flushEvery = 8 << 20

// renameByLink is renameNew where the system has no such call: a second name of the
// file, or a new folder that is replaced, which both fail if the name is taken.
func renameByLink(root *os.Root, dir, name, to string) error {
	from := path.Join(dir, name)
	info, err := root.Lstat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := root.Mkdir(to, 0o700); err != nil {
			return err
		}
		return root.Rename(from, to)
	}
	if err := root.Link(from, to); err != nil {
		return err
	}
	return root.Remove(from)
}
