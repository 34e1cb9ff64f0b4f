// Command testreport reads the output of `go test -json` on standard input and
// prints what a person wants of it: the output of what failed, each skip with
// its reason, the packages, and a last line "N passed, N failed, N skipped". It
// exits 1 if anything failed or no test ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
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
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func report(in io.Reader, out io.Writer) (ok bool, err error) {
	var passed, failed, skipped int
	output := make(map[string]*strings.Builder)
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
			if e.Test != "" {
				failed++
			}
			fmt.Fprintf(out, "FAIL  %s %s\n%s", e.Package, e.Test, text.String())
			if e.Test == "" && !strings.Contains(text.String(), "FAIL") {
				failed++
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
	return failed == 0 && passed > 0, lines.Err()
}
