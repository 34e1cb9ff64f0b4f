package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"contactsd/client"
)

// feature is a row of the table in docs/contacts.md.
type feature struct {
	what    string
	command []string // words and flags of contactsctl
	call    string   // Service.Method
	script  string   // of testdata/script
}

// features returns the rows of the last table of the guide.
func features(t *testing.T) (rows []feature) {
	t.Helper()
	text, err := os.ReadFile("../../docs/contacts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "\n| feature | command | API call | script |\n|---|---|---|---|\n")
	if !ok {
		t.Fatal("docs/contacts.md has no table of features")
	}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if len(cells) != 4 {
			t.Errorf("a row of %d cells: %s", len(cells), line)
			continue
		}
		bare := func(cell string) string { return strings.ReplaceAll(cell, "`", "") }
		rows = append(rows, feature{cells[0], strings.Fields(bare(cells[1])), bare(cells[2]), bare(cells[3])})
	}
	return rows
}

// testRoot returns the commands of a program that calls nobody.
func testRoot() *cobra.Command { return (&app{client: &client.Client{}}).root() }

// TestGuideIsTrue looks for the command, the call and the script of each feature,
// and whether the script runs the command.
func TestGuideIsTrue(t *testing.T) {
	root := testRoot()
	for _, f := range features(t) {
		if why := missing(root, f.command); why != "" {
			t.Errorf("%s: contactsctl %s: %s", f.what, strings.Join(f.command, " "), why)
		}
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("contacts.v1." + f.call))
		if _, method := d.(protoreflect.MethodDescriptor); err != nil || !method {
			t.Errorf("%s: the API has no call %s", f.what, f.call)
		}
		script, err := os.ReadFile(filepath.Join("testdata/script", f.script+".txtar"))
		if err != nil {
			t.Errorf("%s: %v", f.what, err)
		} else if !runs(string(script), f.command) {
			t.Errorf("%s: the script %s never runs contactsctl %s", f.what, f.script, strings.Join(f.command, " "))
		}
	}
}

// missing says what of a command line there is not, "" if all is there. A word
// that is no command of its own has to be in the usage line of the one before.
func missing(root *cobra.Command, command []string) string {
	var words []string
	for _, w := range command {
		if !strings.HasPrefix(w, "-") {
			words = append(words, w)
		}
	}
	cmd, rest, err := root.Find(words)
	if err != nil || cmd == root {
		return "no such command"
	}
	for _, w := range rest {
		if !strings.Contains(cmd.Use, w) {
			return "no " + w + " in its usage line"
		}
	}
	for _, w := range command {
		if name, flag := strings.CutPrefix(w, "--"); flag && cmd.Flag(name) == nil {
			return "no flag " + w
		}
	}
	return ""
}

// runs reports whether a line of the script runs contactsctl with these words in
// this order, whatever else is between them.
func runs(script string, command []string) bool {
	var parts []string
	for _, w := range command {
		parts = append(parts, regexp.QuoteMeta(w))
	}
	line := regexp.MustCompile(`(?m)^[^#\n]*\bcontactsctl (--home \S+ )?` + strings.Join(parts, `( [^\n]*)? `) + `( |$)`)
	return line.MatchString(script)
}

// TestGuideHasEveryCommand: who adds a command about contacts says in the guide
// what it is for, and has a script run it.
func TestGuideHasEveryCommand(t *testing.T) {
	rows := features(t)
	for _, c := range testRoot().Commands() {
		if c.GroupID != "pairing" && c.GroupID != "contacts" {
			continue
		}
		if !slices.ContainsFunc(rows, func(f feature) bool { return f.command[0] == c.Name() }) {
			t.Errorf("the table of docs/contacts.md lacks the command %s", c.Name())
		}
	}
}

func TestRunsSeesWhatIsRun(t *testing.T) {
	const script = "exec contactsctl --home ana remove bob --both\n# contactsctl list\nexits 1 contactsctl permissions $bob narrow audio\n"
	for line, want := range map[string]bool{
		"remove":             true,
		"remove --both":      true,
		"remove --all":       false,
		"permissions narrow": true,
		"list":               false,
		"rem":                false,
	} {
		if got := runs(script, strings.Fields(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
