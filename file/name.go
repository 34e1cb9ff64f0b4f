package file

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// replacement stands for what a name must not have.
const replacement = '_'

// safeName makes a name that any system can hold and that is seen as what it is:
// the last part of a path, without control characters and characters that turn
// the reading direction, not hidden, no device of DOS, at most maxComponent bytes with
// its ending kept. Names that are like that already stay as they are.
func safeName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), strings.ContainsRune(`<>:"|?*`, r):
			return replacement
		}
		return r
	}, strings.ToValidUTF8(name, string(replacement)))
	name = strings.TrimRight(strings.TrimLeft(name, " "), " .")
	if strings.HasPrefix(name, ".") {
		name = string(replacement) + name[1:]
	}
	if isDevice(name) {
		name = string(replacement) + name
	}
	if name == "" {
		return string(replacement)
	}
	return fitName(name, maxComponent)
}

// isDevice reports whether DOS, and Windows after it, takes the name for a
// device, with any ending.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch base = strings.TrimRight(base, " "); base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if n, ok := strings.CutPrefix(base, port); ok && utf8.RuneCountInString(n) == 1 && strings.ContainsAny(n, "0123456789¹²³") {
			return true
		}
	}
	return false
}

// fitName cuts a name to so many bytes before its ending.
func fitName(name string, most int) string {
	if len(name) <= most {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > most/2 {
		ext = ""
	}
	n := most - len(ext)
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n] + ext
}

// numbered is the name for the nth try to find one that nothing has yet: "a.txt",
// "a (2).txt".
func numbered(name string, dir bool, n int) string {
	if n == 1 {
		return name
	}
	ext := filepath.Ext(name)
	if dir || len(ext) > maxComponent/2 {
		ext = ""
	}
	mark := fmt.Sprintf(" (%d)", n)
	base := strings.TrimSuffix(name, ext)
	return fitName(base, maxComponent-len(ext)-len(mark)) + mark + ext
}
