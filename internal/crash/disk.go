package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A power cut is simulated by what a disk is: an ext4 file system in an image
// file, which itself lies on XFS. XFS can clone a file at one point in time, so
// the clone holds what ext4 had written to its disk at that moment and nothing
// that was still in the memory of the machine. Mounting the clone is what happens
// when power is back. What a disk's own cache might reorder is not simulated.
//
//	shelf        a file, XFS, mounted at DIR/shelf
//	  NAME.img   a file on it, ext4, mounted at DIR/NAME: a volume

// errNoDisks: this machine can't do it.
var errNoDisks = errors.New("no power cuts here")

const (
	shelfSize  = "3G" // sparse
	volumeSize = "256M"
)

// shelf is where volumes are kept.
type shelf struct {
	dir, image, at string
	volumes        []*volume
}

// volume is a disk that can lose power.
type volume struct {
	image, at string
	mounted   bool
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// newShelf returns errNoDisks, with the reason, where root, loop devices or a
// file system are missing.
func newShelf(dir string) (*shelf, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: mounting needs root", errNoDisks)
	}
	for _, tool := range []string{"mkfs.xfs", "mkfs.ext4", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %s is missing, install xfsprogs and e2fsprogs", errNoDisks, tool)
		}
	}
	// What carries the shelf plays no part in what is lost, so it may be memory.
	file, err := os.CreateTemp(memory(dir), "contactsd-crash-*.img")
	if err != nil {
		return nil, err
	}
	file.Close()
	s := &shelf{dir: dir, image: file.Name(), at: filepath.Join(dir, "shelf")}
	err = errors.Join(
		os.Mkdir(s.at, 0o700),
		command("truncate", "-s", shelfSize, s.image),
		command("mkfs.xfs", "-q", "-f", "-m", "reflink=1", s.image),
	)
	if err == nil {
		if err = command("mount", "-o", "loop", s.image, s.at); err != nil {
			err = fmt.Errorf("%w: %w", errNoDisks, err)
		}
	}
	if err != nil {
		os.Remove(s.image)
		return nil, err
	}
	return s, nil
}

func memory(otherwise string) string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	return otherwise
}

// volume makes an empty disk and mounts it.
func (s *shelf) volume(name string) (*volume, error) {
	v := &volume{image: filepath.Join(s.at, name+".img"), at: filepath.Join(s.dir, name)}
	s.volumes = append(s.volumes, v)
	err := errors.Join(
		os.MkdirAll(v.at, 0o700),
		command("truncate", "-s", volumeSize, v.image),
		command("mkfs.ext4", "-q", "-F", v.image),
	)
	if err != nil {
		return nil, err
	}
	return v, v.mount()
}

func (v *volume) mount() error {
	if err := command("mount", "-o", "loop", v.image, v.at); err != nil {
		return err
	}
	v.mounted = true
	return nil
}

func (v *volume) unmount() error {
	if !v.mounted {
		return nil
	}
	v.mounted = false
	return unmount(v.at)
}

// unmount waits for what is done with the disk already. A process that was killed
// may take a moment to let go of it, and one that is being started has a copy of
// every open file until it begins to run.
func unmount(at string) error {
	const patience, pause = 10 * time.Second, 50 * time.Millisecond
	for began := time.Now(); ; {
		err := unix.Unmount(at, 0)
		if !errors.Is(err, unix.EBUSY) || time.Since(began) > patience {
			if err != nil {
				return fmt.Errorf("unmount %s: %w", at, err)
			}
			return nil
		}
		<-time.After(pause)
	}
}

func (v *volume) remove() error {
	return errors.Join(v.unmount(), os.Remove(v.image))
}

// cut keeps what is on the disk at this moment. Until power is back the volume
// goes on as if nothing had happened, so that those who write to it can be ended.
func (v *volume) cut() error {
	disk, err := os.Open(v.image)
	if err != nil {
		return err
	}
	defer disk.Close()
	kept, err := os.Create(v.kept())
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlFileClone(int(kept.Fd()), int(disk.Fd())), kept.Close())
}

func (v *volume) kept() string { return v.image + ".kept" }

// power puts back what was kept. Nobody uses the volume.
func (v *volume) power() error {
	if err := v.unmount(); err != nil {
		return err
	}
	if err := os.Rename(v.kept(), v.image); err != nil {
		return err
	}
	return v.mount()
}

func (s *shelf) close() error {
	var errs []error
	for _, v := range s.volumes {
		errs = append(errs, v.unmount())
	}
	return errors.Join(append(errs, unmount(s.at), os.Remove(s.image))...)
}
