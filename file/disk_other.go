//go:build !linux

package file

import (
	"errors"
	"math"
	"os"
	"syscall"
)

// syncsAll: each file is synced by itself.
const syncsAll = false

func syncAll(*os.Root) error { return nil }

func flush(*os.File, uint64, uint64) {}

func renameNew(root, _ *os.Root, dir, name, to string) error {
	return renameByLink(root, dir, name, to)
}

// space is not known here: a full disk shows when it is written to.
func space(string) (uint64, error) { return math.MaxInt64, nil }

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }
