package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"contactsd/internal/devices"
)

const ownMounts = "CRASH_TEST_OWN_MOUNTS"

// inOwnMounts runs a test again in namespaces of its own, where it may mount what
// it likes, which needs no root where user namespaces are allowed.
func inOwnMounts(t *testing.T, f func(t *testing.T, program string)) {
	t.Helper()
	if program := os.Getenv(ownMounts); program != "" {
		f(t, program)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownMounts+"="+daemon(t, ""))
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
		t.Skipf("%s", out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// small is a disk in memory.
type small struct {
	t  *testing.T
	at string
}

func newSmall(t *testing.T, size string) *small {
	t.Helper()
	d := &small{t, t.TempDir()}
	if err := d.mount(0, size); err != nil {
		t.Skipf("no tmpfs here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(d.at, syscall.MNT_DETACH) })
	return d
}

func (d *small) mount(flags uintptr, size string) error {
	return syscall.Mount("tmpfs", d.at, "tmpfs", flags, "mode=0700,size="+size)
}

func (d *small) remount(flags uintptr, size string) {
	d.t.Helper()
	if err := d.mount(syscall.MS_REMOUNT|flags, size); err != nil {
		d.t.Fatal(err)
	}
}

// fill takes all the space that is left.
func (d *small) fill() (ballast string) {
	d.t.Helper()
	ballast = filepath.Join(d.at, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return ballast
}

func TestFullDiskIsToldAndNothingIsLost(t *testing.T) {
	inOwnMounts(t, func(t *testing.T, program string) {
		disks := [2]*small{newSmall(t, "256m"), newSmall(t, "256m")}
		p := underLoadAt(t, program, [2]string{disks[0].at, disks[1].at})
		for i, s := range p.sides {
			ballast := disks[i].fill()
			// Messages to and from a device whose disk is full wait, and who writes is
			// told why.
			p.try(devices.Until(t.Context(), s.Name+"'s writers to be told of the full disk", func() (bool, error) {
				return s.told("disk_full") > 0, nil
			}))
			pause(t.Context(), 50*time.Millisecond)
			p.try(os.Remove(ballast))
			p.healthyFor(200 * time.Millisecond)
		}
		p.end()
	})
}

// A daemon that is killed while its disk is full comes back when there is space,
// and without space it says why it does not.
func TestFullDiskAtTheStart(t *testing.T) {
	inOwnMounts(t, func(t *testing.T, program string) {
		disk := newSmall(t, "24m")
		p := underLoadAt(t, program, [2]string{disk.at, filepath.Join(t.TempDir(), "b")})
		ballast := disk.fill()
		pause(t.Context(), 200*time.Millisecond)
		p.ana.Stop(syscall.SIGKILL)
		p.try(p.ana.look(p.ana.sent.know(), p.bob.sent.know()))
		p.try(os.Remove(ballast))
		p.start(p.ana)
		p.healthyFor(200 * time.Millisecond)
		p.end()

		empty := newSmall(t, "16k")
		empty.fill()
		said, err := devices.New(program, empty.at, "Eve").Refused(t.Context())
		p.try(err)
		wantWords(t, said, "no space left on device")
	})
}

func TestReadOnlyHomeIsRefusedWithWhatToDo(t *testing.T) {
	inOwnMounts(t, func(t *testing.T, program string) {
		disk := newSmall(t, "24m")
		p := underLoadAt(t, program, [2]string{disk.at, filepath.Join(t.TempDir(), "b")})
		p.quiet()
		disk.remount(syscall.MS_RDONLY, "24m")
		said, err := p.ana.Refused(t.Context())
		p.try(err)
		wantWords(t, said, "read-only file system", "hint:")
		// It can be examined where it is.
		out, err := exec.Command(program, "check", "--home", disk.at).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("whole")) {
			t.Fatalf("check: %v\n%s", err, out)
		}
		disk.remount(0, "24m")
		p.again()
		p.end()
	})
}

func TestFewFileDescriptors(t *testing.T) {
	limited := filepath.Join(t.TempDir(), "limited")
	script := "#!/bin/sh\nulimit -n 40\nexec " + daemon(t, "") + " \"$@\"\n"
	if err := os.WriteFile(limited, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	p := underLoad(t, limited)
	// More callers than there are descriptors: some have to wait, and the daemon
	// goes on when they have gone.
	var callers []*devices.Device
	for range 60 {
		c := devices.New(limited, p.ana.Home, "caller")
		callers = append(callers, c)
		call(t, c)
	}
	for _, c := range callers {
		c.Close()
	}
	p.healthyFor(500 * time.Millisecond)
	p.end()
}
