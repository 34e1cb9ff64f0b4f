package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const fullDisk = "STORE_TEST_FULL_DISK"

// TestDiskFull runs itself again in a mount namespace of its own, which needs
// no root where user namespaces are allowed, and there fills a small tmpfs.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv(fullDisk); dir != "" {
		fillDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("no namespaces here: %v", err)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("no tmpfs here: %s", out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
}

func fillDisk(t *testing.T, dir string) {
	mount := func(flags uintptr, size string) error {
		return syscall.Mount("tmpfs", dir, "tmpfs", flags, "size="+size)
	}
	if err := mount(0, "512k"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "store")
	db := openTest(t, path, Options{}, notes, lists)
	kept := make(map[string]string)
	text := strings.Repeat("x", 1000)
	write := func(key string) error {
		err := db.Update(func(tx *Tx) error {
			return errors.Join(notes.Put(tx, []byte(key), note{Text: text}), tx.Emit(event(1)))
		})
		if err == nil {
			kept[key] = text
		}
		return err
	}
	var err error
	for n := 0; err == nil; n++ {
		if n > 10_000 {
			t.Fatal("the disk is never full")
		}
		err = write(fmt.Sprint(n))
	}
	check := func(when string) {
		got := texts(t, db)
		if len(got) != len(kept) {
			t.Fatalf("%s: %d rows, %d were acknowledged", when, len(got), len(kept))
		}
		if cursor, err := db.Cursor(); cursor != uint64(len(kept)) || err != nil {
			t.Fatalf("%s: cursor %d, error %v, want %d", when, cursor, err, len(kept))
		}
	}
	wantError(t, err, ErrFull)
	if !strings.Contains(err.Error(), "free space, then try again") {
		t.Fatalf("no hint in %q", err)
	}
	check("full")
	for n := range 20 {
		if err := write(fmt.Sprintf("again%d", n)); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	check("still full")
	if err := mount(syscall.MS_REMOUNT, "4m"); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if err := write(fmt.Sprintf("freed%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	check("with space")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openTest(t, path, Options{}, notes, lists)
	check("reopened")
}
