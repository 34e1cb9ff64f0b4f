package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEntryQuotesThePath(t *testing.T) {
	for program, want := range map[string]string{
		"/usr/bin/contacts-tray": `Exec="/usr/bin/contacts-tray" --wait 30s`,
		"/a b/100%":              `Exec="/a b/100%%" --wait 30s`,
		"/$x\"\\`":               `Exec="/\\$x\\"\\\\\\` + "`" + `" --wait 30s`,
	} {
		text, err := entryOf(program)
		if err != nil || !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%s: %v\n%s", program, err, text)
		}
	}
	for _, program := range []string{"/a\nExec=evil", "/\x1b", "/a\u202eb"} {
		if text, err := entryOf(program); err == nil {
			t.Errorf("%q is taken:\n%s", program, text)
		}
	}
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) (string, int) {
		cmd := exec.Command(filepath.Join(programs, "contacts-tray"), args...)
		cmd.Env = []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	path := filepath.Join(dir, "autostart", entryName)
	if out, code := run("install"); code != 0 || out != "wrote "+path+"\n" {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if out, code := run("install", "--remove"); code != 0 || out != "removed "+path+"\n" {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := run("install", "--remove"); code != 1 {
		t.Errorf("removed what is not there: exit code %d: %s", code, out)
	}
	if out, code := run("install", "now"); code != 2 {
		t.Errorf("wrong usage: exit code %d: %s", code, out)
	}
	if out, code := run("--wait", "-1s"); code != 2 {
		t.Errorf("a negative wait: exit code %d: %s", code, out)
	}
}
