package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"contactsd/internal/devices"
)

// TestScripts runs the scripts of testdata/script with the real programs: each
// script has daemons of its own, in homes within its directory, on loopback.
//
// Commands beside those of testscript:
//
//	start NAME             starts the daemon with the home NAME and sets
//	                       NAME (its ODID) and NAME_AT (where it can be reached)
//	end NAME SIGNAL        ends it with TERM or KILL; fails if that takes 2 s
//	exits CODE PROGRAM …   runs a program that must end with this code
//	get VAR PATH           sets VAR from the last stdout, JSON, by a path like .0.id
//	until REGEX PROGRAM …  repeats a program until its stdout matches
func TestScripts(t *testing.T) {
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			running := make(map[string]*devices.Device)
			env.Values[devicesKey{}] = running
			env.Values[binKey{}] = bin
			env.Defer(func() {
				for _, d := range running {
					d.Stop(syscall.SIGKILL)
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "end": end, "exits": exits, "get": get, "until": until,
		},
		RequireUniqueNames: true,
	})
}

type (
	devicesKey struct{}
	binKey     struct{}
)

// patience is how long a script waits for what must happen.
const patience = 20 * time.Second

// build makes the two programs.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "contactsd/cmd/contactsctl", "contactsd/cmd/contactsd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: start NAME")
	}
	running := ts.Value(devicesKey{}).(map[string]*devices.Device)
	name := args[0]
	d := running[name]
	if d == nil {
		d = devices.New(filepath.Join(ts.Value(binKey{}).(string), "contactsd"), ts.MkAbs(name), name)
		running[name] = d
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(d.Start(ctx))
	at, err := d.Address(ctx, "/tcp/")
	ts.Check(err)
	ts.Setenv(name, d.ODID)
	ts.Setenv(name+"_AT", at)
}

func end(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: end NAME TERM|KILL")
	}
	signal, ok := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[1]]
	d := ts.Value(devicesKey{}).(map[string]*devices.Device)[args[0]]
	if d == nil || !ok {
		ts.Fatalf("no device %s, or no signal %s", args[0], args[1])
	}
	began := time.Now()
	d.Stop(signal)
	if took := time.Since(began); took > 2*time.Second {
		ts.Fatalf("%s took %v to stop", args[0], took)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get VAR PATH")
	}
	value, err := pick(ts.ReadFile("stdout"), args[1])
	ts.Check(err)
	ts.Setenv(args[0], value)
}

// pick returns what a path like ".0.id" leads to in JSON text.
func pick(text, path string) (string, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "", fmt.Errorf("%w in %q", err, text)
	}
	for key := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				return "", fmt.Errorf("no %s in an array of %d", key, len(at))
			}
			v = at[i]
		default:
			return "", fmt.Errorf("no %s in %v", key, v)
		}
	}
	return fmt.Sprint(v), nil
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEX PROGRAM [ARG]...")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(devices.Until(ctx, args[0], func() (bool, error) {
		if ts.Exec(args[1], args[2:]...) != nil {
			return false, nil // a file that is not there yet, say
		}
		return re.MatchString(ts.ReadFile("stdout")), nil
	}))
}
