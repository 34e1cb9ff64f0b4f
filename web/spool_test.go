package web

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// roomy is a spool on a disk with so many bytes more than must be left.
func roomy(t *testing.T, free int64) *spool {
	t.Helper()
	s := newSpool(filepath.Join(t.TempDir(), "outgoing"))
	s.free = func(string) (int64, error) { return spareSpace + free, nil }
	return s
}

// empty fails unless nothing is left of any copy.
func (s *spool) empty(t *testing.T) {
	t.Helper()
	left, _ := os.ReadDir(s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(left) != 0 || s.used != 0 || len(s.sizes) != 0 || len(s.open) != 0 {
		t.Errorf("left are %v, %d bytes, %v, %v", left, s.used, s.sizes, s.open)
	}
}

func TestSpoolKeepsAndRemoves(t *testing.T) {
	s := roomy(t, maxSpool)
	c, err := s.create("one", "bread.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("flour")); err != nil {
		t.Fatal(err)
	}
	if len(s.kept()) != 0 || s.holds("one") {
		t.Error("what is being written may be removed")
	}
	path, err := c.keep()
	if err != nil {
		t.Fatal(err)
	}
	c.settled()
	text, err := os.ReadFile(path)
	info, _ := os.Stat(filepath.Dir(path))
	if err != nil || string(text) != "flour" || filepath.Base(path) != "bread.txt" || info.Mode().Perm() != 0o700 || !s.holds("one") {
		t.Errorf("%s, %q, %v, %v", path, text, info, err)
	}
	// Another process finds it, and counts it.
	again := newSpool(s.dir)
	if again.used != 5 || len(again.kept()) != 1 || len(again.kick) != 1 {
		t.Errorf("%d bytes, %v", again.used, again.kept())
	}
	if err := again.remove("one"); err != nil {
		t.Fatal(err)
	}
	again.empty(t)
}

func TestSpoolIsBounded(t *testing.T) {
	s := roomy(t, maxSpool)
	for size, want := range map[int64]error{0: nil, maxCopy: nil, maxUpload + 1: errTooLarge, 1 << 62: errTooLarge} {
		if err := s.room(size); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	s.used = maxSpool - 10
	if err := s.room(11); !errors.Is(err, errQuota) {
		t.Errorf("more than all may have: %v", err)
	}
	c, err := s.create("one", "x")
	if err != nil {
		t.Fatal(err)
	}
	// What was announced does not count, but what comes.
	if _, err := c.Write(make([]byte, 11)); !errors.Is(err, errQuota) || s.used != maxSpool-10 {
		t.Errorf("%v, %d bytes", err, s.used)
	}
	if err := c.drop(); err != nil {
		t.Fatal(err)
	}
	s.used = 0
	s.empty(t)
	s.free = func(string) (int64, error) { return spareSpace + 99, nil }
	if err := s.room(100); !errors.Is(err, errSpace) {
		t.Errorf("a full disk: %v", err)
	}
	for i := range maxCopies {
		s.sizes[strings.Repeat("x", i+1)] = 0
	}
	if err := s.room(0); !errors.Is(err, errTooMany) {
		t.Errorf("many copies: %v", err)
	}
}

func TestDiskThatFillsEndsACopy(t *testing.T) {
	s := roomy(t, 0)
	c, err := s.create("one", "x")
	if err != nil {
		t.Fatal(err)
	}
	s.free = func(string) (int64, error) { return spareSpace - 1, nil }
	var wrote int
	for err == nil {
		_, err = c.Write(make([]byte, 1<<20))
		wrote++
	}
	if !errors.Is(err, errSpace) || wrote > spaceEvery>>20 {
		t.Errorf("after %d MiB: %v", wrote, err)
	}
	if err := c.drop(); err != nil {
		t.Fatal(err)
	}
	s.empty(t)
}

func TestNamesOfCopies(t *testing.T) {
	for given, want := range map[string]string{
		"bread.txt": "bread.txt", "../../etc/passwd": "passwd", `C:\Users\Ana\bread.txt`: "bread.txt", "a/": "file", "": "file", ".": "file", "..": "file",
		"...": "file", ".bashrc": "bashrc", "a\x00b\nc": "a_b_c", "a\xffb": "a_b", "שלום.txt": "שלום.txt", " x ": "x ",
	} {
		if got := copyName(given); got != want {
			t.Errorf("%q became %q, not %q", given, got, want)
		}
	}
}

// FuzzCopyName: whatever a browser says, it names a file in its folder.
func FuzzCopyName(f *testing.F) {
	for _, name := range []string{"", "../x", "a.b", strings.Repeat("é", 300) + ".tar.gz", "x." + strings.Repeat("y", 300), "\x00", `\`, "\u202egpj.exe"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, given string) {
		name := copyName(given)
		if name == "" || len(name) > maxName || strings.ContainsAny(name, "/\\\x00\n") || strings.HasPrefix(name, ".") || !utf8.ValidString(name) ||
			filepath.Base(name) != name || copyName(name) != name {
			t.Errorf("%q became %q", given, name)
		}
	})
}

func TestFolderOfOthersStays(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note"), bytes.Repeat([]byte("x"), 7), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := newSpool(dir); s.used != 7 {
		t.Errorf("%d bytes", s.used)
	}
}
