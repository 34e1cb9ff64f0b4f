package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/devices"
	"contactsd/transport/p2p"
)

const (
	idleBefore = 2 * time.Second // what a start costs is over by then
	idleFor    = 10 * time.Second
	clockTick  = 10 * time.Millisecond // of /proc, USER_HZ is 100 everywhere
)

// idle measures what a daemon takes while nobody does anything, beside a libp2p
// host that does nothing else.
func (b *bench) idle(ctx context.Context) ([]row, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var pids, bare []int
	for i := range b.runs {
		d := devices.New(b.program("contactsd"), filepath.Join(b.dir, fmt.Sprintf("idle-%d", i)), "Ana")
		if err := d.Start(ctx); err != nil {
			return nil, err
		}
		defer d.Stop(syscall.SIGTERM)
		pids = append(pids, d.PID())
		host := exec.CommandContext(ctx, self, "-barehost")
		host.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := host.Start(); err != nil {
			return nil, err
		}
		defer host.Wait()
		defer host.Process.Signal(os.Interrupt)
		bare = append(bare, host.Process.Pid)
	}
	time.Sleep(idleBefore)
	memory, cpu, err := usage(pids)
	if err != nil {
		return nil, err
	}
	hostMemory, hostCPU, err := usage(bare)
	if err != nil {
		return nil, err
	}
	return []row{
		compare("memory of an idle daemon (RssAnon)", memory, "MiB", "limit", 33),
		compare("memory of an idle daemon (RssAnon)", memory, "MiB", "bare libp2p host", hostMemory),
		compare("CPU of an idle daemon a minute", cpu, "ms", "limit", 17),
		compare("CPU of an idle daemon a minute", cpu, "ms", "bare libp2p host", max(hostCPU, 1)),
	}, nil
}

// usage returns the medians of the memory, in MiB, and of the CPU time, in
// milliseconds a minute, of processes that are left alone for a while.
func usage(pids []int) (memory, cpu float64, err error) {
	before := make([]time.Duration, len(pids))
	for i, pid := range pids {
		if before[i], err = cpuTime(pid); err != nil {
			return 0, 0, err
		}
	}
	time.Sleep(idleFor)
	var memories, cpus []float64
	for i, pid := range pids {
		now, err := cpuTime(pid)
		if err != nil {
			return 0, 0, err
		}
		kib, err := rssAnon(pid)
		if err != nil {
			return 0, 0, err
		}
		cpus = append(cpus, float64((now-before[i]).Milliseconds())*float64(time.Minute/idleFor))
		memories = append(memories, float64(kib)/1024)
	}
	return middle(memories), average(cpus), nil
}

// average is for what the kernel counts in steps of 10 ms.
func average(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func rssAnon(pid int) (kib int, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, errors.New("no RssAnon in /proc: it needs Linux 4.5")
}

// cpuTime is what proc_pid_stat(5) has in fields 14 and 15.
func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	total := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return time.Duration(total) * clockTick, nil
}

// runBareHost is the process that an idle daemon is compared with.
func runBareHost(ctx context.Context) error {
	id, err := identity.Generate()
	if err != nil {
		return err
	}
	t, err := p2p.New(p2p.Config{
		Identity: id, Listen: []string{loopback, "/ip4/127.0.0.1/udp/0/quic-v1"},
		MayDial: func(contact.ODID) bool { return false },
	})
	if err != nil {
		return err
	}
	if err := t.Listen(); err != nil {
		return err
	}
	fmt.Println("listening")
	return t.Run(ctx)
}

// bareStart is how long that process takes until it listens.
func bareStart(ctx context.Context) (took time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	host := exec.CommandContext(ctx, self, "-barehost")
	host.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := host.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := host.Start(); err != nil {
		return 0, err
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	took = time.Since(began)
	return took, errors.Join(err, host.Process.Signal(os.Interrupt), host.Wait())
}

// nothing is how long a process of the daemon takes that does nothing.
func (b *bench) nothing(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	err = exec.CommandContext(ctx, b.program("contactsd"), "--version").Run()
	return time.Since(began), err
}
