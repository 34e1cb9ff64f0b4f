package file

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"report.pdf":                       "report.pdf",
		"größe 10 %.txt":                   "größe 10 %.txt",
		"../../etc/passwd":                 "passwd",
		`..\..\boot.ini`:                   "boot.ini",
		"/":                                "_",
		"":                                 "_",
		".":                                "_",
		"..":                               "_",
		".bashrc":                          "_bashrc",
		"a\x00b\nc":                        "a_b_c",
		"a\u202egpj.exe":                   "a_gpj.exe",
		"\xff\xfe.txt":                     "_.txt",
		"CON":                              "_CON",
		"nul.txt":                          "_nul.txt",
		"com1":                             "_com1",
		"COM10":                            "COM10",
		"console.log":                      "console.log",
		"a:b*c?.txt":                       "a_b_c_.txt",
		"end. . ":                          "end",
		strings.Repeat("x", 5000):          strings.Repeat("x", 255),
		strings.Repeat("x", 5000) + ".jpg": strings.Repeat("x", 251) + ".jpg",
		"x." + strings.Repeat("y", 5000):   "x." + strings.Repeat("y", 253),
	} {
		if got := safeName(name); got != want {
			t.Errorf("%.60q: %.80q, want %.80q", name, got, want)
		}
	}
}

// Whatever a name was, what is made of it is one that checkComponent takes, and is
// left alone the second time.
func TestSafeNamesAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := string(rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "name"))
		safe := safeName(name)
		if err := checkComponent(safe); err != nil || !utf8.ValidString(safe) {
			t.Fatalf("%q: %v", safe, err)
		}
		if again := safeName(safe); again != safe {
			t.Fatalf("%q becomes %q", safe, again)
		}
		for n := 1; n < 12; n++ {
			if err := checkComponent(numbered(safe, false, n)); err != nil {
				t.Fatalf("number %d: %v", n, err)
			}
		}
	})
}

func TestNumbered(t *testing.T) {
	for _, c := range []struct {
		name string
		dir  bool
		n    int
		want string
	}{
		{"a.txt", false, 1, "a.txt"},
		{"a.txt", false, 2, "a (2).txt"},
		{"v1.2", true, 3, "v1.2 (3)"},
		{"README", false, 10, "README (10)"},
		{strings.Repeat("x", 251) + ".jpg", false, 2, strings.Repeat("x", 247) + " (2).jpg"},
	} {
		if got := numbered(c.name, c.dir, c.n); got != c.want {
			t.Errorf("%.40q, %d: %q", c.name, c.n, got)
		}
	}
}
