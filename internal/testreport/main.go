// Command testreport reads the output of `go test -json` on standard input and
// prints what a person wants of it: the output of what failed, each skip with
// its reason, the packages, and a last line "N passed, N failed, N skipped". It
// exits 1 if anything failed or no test ran.
//
// With -crashed FILE it writes to the file, one a line, the packages of which no test
// failed and whose program ended in the race detector itself, as it does now and then
// in the bubbles of testing/synctest (golang/go#78156 is of that kind), and does not
// count them as failed: whoever names the file runs them again.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is one line of test2json (go doc cmd/test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

func main() {
	list := flag.String("crashed", "", "write the packages in which the race detector crashed to this `file`")
	flag.Parse()
	ok, crashed, err := report(os.Stdin, os.Stdout, *list != "")
	if err == nil && *list != "" {
		err = os.WriteFile(*list, []byte(strings.Join(crashed, "\n")), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// report returns whether all is well, and, if they are to be forgiven, the packages in
// which the race detector crashed.
func report(in io.Reader, out io.Writer, forgive bool) (ok bool, crashed []string, err error) {
	var passed, failed, skipped int
	output := make(map[string]*strings.Builder)
	failures := make(map[string]int) // tests that failed, by package
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // not from a test: the go command itself
			continue
		}
		key := e.Package + e.ImportPath + "\x00" + e.Test
		text := output[key]
		if text == nil {
			text = new(strings.Builder)
			output[key] = text
		}
		switch e.Action {
		case "output", "build-output":
			text.WriteString(e.Output)
			continue
		case "build-fail":
			failed++
			fmt.Fprint(out, text.String())
		case "pass":
			if e.Test != "" {
				passed++
			} else {
				fmt.Fprintf(out, "ok    %s  %.1f s\n", e.Package, e.Elapsed)
			}
		case "fail":
			fmt.Fprintf(out, "FAIL  %s %s\n%s", e.Package, e.Test, text.String())
			if e.Test != "" {
				failed++
				failures[e.Package]++
				break
			}
			detector := false
			for _, key := range unfinished(output, e.Package) {
				_, test, _ := strings.Cut(key, "\x00")
				fmt.Fprintf(out, "did not end: %s\n%s", test, first(output[key].String()))
				detector = detector || crashOfDetector(output[key].String())
				delete(output, key)
			}
			switch {
			case failures[e.Package] > 0, strings.Contains(text.String(), "[build failed]"): // counted
			case forgive && (detector || crashOfDetector(text.String())):
				crashed = append(crashed, e.Package)
			default:
				failed++ // the program of the tests ended
			}
		case "skip":
			if e.Test != "" {
				skipped++
				fmt.Fprintf(out, "skip  %s %s\n%s", e.Package, e.Test, text.String())
			}
		default:
			continue
		}
		delete(output, key)
	}
	if failed == 0 && passed == 0 {
		fmt.Fprintln(out, "no test ran")
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed == 0 && passed > 0, crashed, lines.Err()
}

// unfinished returns the keys of what tests of a package wrote that have not ended:
// those that were running when their program crashed.
func unfinished(output map[string]*strings.Builder, pkg string) (keys []string) {
	for key := range output {
		if name, test, _ := strings.Cut(key, "\x00"); name == pkg && test != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// crashOfDetector reports whether a program ended by a signal outside of all goroutines
// while a bubble ran. A fault of Go code is a panic, which names a goroutine.
func crashOfDetector(text string) bool {
	_, dump, ok := strings.Cut(text, "SIGSEGV: segmentation violation\nPC=")
	dump, _, _ = strings.Cut(dump, "\n\ngoroutine 1 ")
	return ok && strings.Contains(dump, "goroutine 0 ") && strings.Contains(dump, "[idle, synctest bubble")
}

// maxCrash is how many bytes are shown of what a test wrote that did not end: the
// beginning says why, and the stacks of all goroutines follow.
const maxCrash = 8 << 10

func first(text string) string {
	if len(text) <= maxCrash {
		return text
	}
	return strings.ToValidUTF8(text[:maxCrash], "") + "\n…\n"
}
