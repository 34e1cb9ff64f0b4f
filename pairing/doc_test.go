package pairing

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each attack that docs/security.md lists has the tests that it names, and each of
// the attacks of this package stands there.
func TestSecurityTableNamesTestsThatExist(t *testing.T) {
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## Pairing")
	section, _, _ = strings.Cut(section, "\n## ")
	named := regexp.MustCompile("`(?:([a-z0-9/]+)\\.)?((?:Test|Fuzz)[A-Za-z0-9]+)`")
	have := make(map[string]map[string]bool)
	rows, listed := 0, make(map[string]bool)
	for line := range strings.Lines(section) {
		found := named.FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && len(found) > 0 {
			rows++
		}
		for _, name := range found {
			dir := name[1]
			if dir == "" {
				dir = "pairing"
			}
			if have[dir] == nil {
				have[dir] = testsOf(t, dir)
			}
			if !have[dir][name[2]] {
				t.Errorf("docs/security.md names %s of %s, which is not there", name[2], dir)
			}
			listed[name[2]] = listed[name[2]] || dir == "pairing"
		}
	}
	if rows < 25 {
		t.Errorf("%d rows with tests were found", rows)
	}
	for name := range have["pairing"] {
		if strings.HasPrefix(name, "TestAttack") && !listed[name] {
			t.Errorf("%s is not in the table of docs/security.md", name)
		}
	}
}

// testsOf returns the tests of a directory of the module.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
