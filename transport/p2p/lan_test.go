package p2p_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/transport/p2p"
)

// The tests of mDNS run this test binary again in two network namespaces that a
// cable connects, so that nothing is sent into the real network. lanRole says
// what the binary is to be there:
//
//	<seed byte> <seed byte of the other> <contacts|announce|search|silent>
const lanRole = "CONTACTSD_TEST_LAN_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(lanRole); role != "" {
		if err := playOnLAN(role); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func seeded(b byte) (*identity.Identity, error) {
	return identity.FromSeed([32]byte{31: b})
}

// playOnLAN runs a device and prints what it sees until its standard input ends.
func playOnLAN(role string) error {
	var own, other byte
	var part string
	if _, err := fmt.Sscan(role, &own, &other, &part); err != nil {
		return err
	}
	id, err := seeded(own)
	if err != nil {
		return err
	}
	friend, err := seeded(other)
	if err != nil {
		return err
	}
	d, err := p2p.New(p2p.Config{
		Identity: id,
		Listen:   []string{"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"},
		MDNS:     part != "silent",
		MayDial:  func(o contact.ODID) bool { return part == "contacts" && o == friend.Self() },
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		io.Copy(io.Discard, os.Stdin)
	}()
	d.Watch(func(peer contact.ODID, up bool) { fmt.Println("connected", peer, up) })
	if err := d.Listen(); err != nil {
		return err
	}
	switch part {
	case "announce":
		d.Announce(ctx)
	case "search":
		go func() {
			for c := range d.Candidates(ctx) {
				fmt.Println("candidate", c)
				fmt.Println("dialled", d.Dial(ctx, c))
			}
		}()
	case "silent":
		d.Announce(ctx)
		d.Candidates(ctx)
	}
	time.AfterFunc(300*time.Millisecond, func() { fmt.Println("mDNS is open:", mdnsSockets() > 0) })
	fmt.Println("addresses", d.Own())
	ended := make(chan time.Time, 1)
	context.AfterFunc(ctx, func() { ended <- time.Now() })
	err = d.Run(ctx)
	if took := time.Since(<-ended); err == nil && took > 2*time.Second {
		return fmt.Errorf("stopping took %v", took)
	}
	return err
}

// mdnsSockets returns how many UDP sockets of this namespace have port 5353.
func mdnsSockets() (n int) {
	for _, file := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		table, err := os.ReadFile(file)
		if err != nil {
			return -1
		}
		n += strings.Count(string(table), ":14E9 ")
	}
	return n
}

// lan makes two namespaces with a cable between them.
func lan(t *testing.T) (names [2]string) {
	t.Helper()
	if testing.Short() {
		t.Skip("mDNS takes seconds")
	}
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces need ip (iproute2)")
	}
	for i := range names {
		names[i] = fmt.Sprintf("contactsd-%d-%d", os.Getpid(), i)
		if out, err := exec.Command("ip", "netns", "add", names[i]).CombinedOutput(); err != nil {
			t.Skipf("no network namespace can be made here: %s", out)
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "del", names[i]).Run() })
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %s", strings.Join(args, " "), out)
		}
	}
	ip("-n", names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", names[1])
	for i, name := range names {
		ip("-n", name, "link", "set", "lo", "up")
		ip("-n", name, "addr", "add", fmt.Sprintf("10.9.8.%d/24", i+1), "dev", "eth0")
		ip("-n", name, "link", "set", "eth0", "up")
	}
	return names
}

// play runs this binary in a namespace and returns the lines it prints; stop
// ends it and returns the rest of them.
func play(t *testing.T, namespace, role string) (lines <-chan string, stop func() []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", namespace, self)
	cmd.Env = append(os.Environ(), lanRole+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := make(chan string, 100)
	go func() {
		defer close(c)
		for s := bufio.NewScanner(out); s.Scan(); {
			c <- s.Text()
		}
	}()
	ended := false
	stop = func() (rest []string) {
		if ended {
			return nil
		}
		ended = true
		in.Close()
		for line := range c {
			if strings.HasPrefix(line, "error") {
				t.Error(line)
			}
			rest = append(rest, line)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		return rest
	}
	t.Cleanup(func() { stop() })
	return c, stop
}

func await(t *testing.T, lines <-chan string, want string) time.Duration {
	t.Helper()
	start := time.Now()
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-lines:
			if line == want {
				return time.Since(start)
			}
			if !open || strings.HasPrefix(line, "error") {
				t.Fatalf("waiting for %q: %q", want, line)
			}
		case <-timeout:
			t.Fatalf("no %q", want)
		}
	}
}

func TestContactsFindEachOtherOnTheLAN(t *testing.T) {
	names := lan(t)
	one, _ := seeded(1)
	two, _ := seeded(2)
	first, _ := play(t, names[0], "1 2 contacts")
	second, stop := play(t, names[1], "2 1 contacts")
	await(t, first, fmt.Sprint("connected ", two.Self(), " true"))
	t.Logf("found after %v more", await(t, second, fmt.Sprint("connected ", one.Self(), " true")))
	stop()
	await(t, first, fmt.Sprint("connected ", two.Self(), " false"))
	third, _ := play(t, names[1], "2 1 contacts")
	t.Logf("found again after %v", await(t, third, fmt.Sprint("connected ", one.Self(), " true")))
}

func TestCandidatesAreThoseThatAnnounce(t *testing.T) {
	names := lan(t)
	one, _ := seeded(1)
	announcing, silence := play(t, names[0], "1 2 announce")
	searching, stop := play(t, names[1], "2 1 search")
	t.Logf("found after %v", await(t, searching, fmt.Sprint("candidate ", one.Self())))
	await(t, searching, "dialled <nil>")
	await(t, announcing, "mDNS is open: true")
	stop()
	silence()

	// Who searches does not announce.
	play(t, names[0], "1 2 search")
	again, stop := play(t, names[1], "2 1 search")
	await(t, again, "mDNS is open: true")
	<-time.After(time.Second)
	for _, line := range stop() {
		if strings.HasPrefix(line, "candidate") {
			t.Errorf("searching found %q", line)
		}
	}
}

func TestWithoutMDNSNothingIsSent(t *testing.T) {
	names := lan(t)
	lines, stop := play(t, names[0], "1 2 silent")
	await(t, lines, "mDNS is open: false")
	stop()
}

func TestOwnAddressesAreThoseOfTheLAN(t *testing.T) {
	names := lan(t)
	lines, _ := play(t, names[0], "1 2 silent")
	select {
	case line := <-lines:
		if !strings.Contains(line, "/ip4/10.9.8.1/udp/") || !strings.Contains(line, "/ip4/10.9.8.1/tcp/") ||
			strings.Contains(line, "127.0.0.1") || strings.Contains(line, "0.0.0.0") {
			t.Errorf("the own addresses are %q", line)
		}
	case <-time.After(patience):
		t.Fatal("the device does not start")
	}
}
