package store

import (
	"errors"
	"io/fs"
	"os"
)

// inspect reports whether there is no store at path yet.
func inspect(path string) (isNew bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return info.Size() == 0, nil
}
