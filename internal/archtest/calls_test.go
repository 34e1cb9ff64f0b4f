package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

// call returns "pkg.Name" of a call of another package's function, else "".
func call(n ast.Node) string {
	c, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	p, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return p.Name + "." + sel.Sel.Name
}

// TestNobodySleeps: code waits for what it needs, and tests wait in faked time,
// so none is slow and none fails on a busy machine.
func TestNobodySleeps(t *testing.T) {
	faked := make(map[string]bool)
	sleepers := make(map[string]token.Position)
	eachFile(t, func(name string, fset *token.FileSet, f *ast.File) {
		dir := path.Dir(name)
		for _, imp := range f.Imports {
			if imp.Path.Value == `"testing/synctest"` {
				faked[dir] = true
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call(n) != "time.Sleep" {
				return true
			}
			if f.Name.Name == "main" {
				return true
			}
			if !strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s sleeps: wait with a timer that a context ends", fset.Position(n.Pos()))
			}
			sleepers[dir] = fset.Position(n.Pos())
			return true
		})
	})
	for dir, at := range sleepers {
		if !faked[dir] {
			t.Errorf("%s sleeps in real time: fake it with testing/synctest", at)
		}
	}
}

// TestOnlyCommandsEndTheProcess: whoever else does skips what is deferred, a
// commit or a farewell.
func TestOnlyCommandsEndTheProcess(t *testing.T) {
	eachFile(t, func(name string, fset *token.FileSet, f *ast.File) {
		if f.Name.Name == "main" || strings.HasSuffix(name, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch call(n) {
			case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "syscall.Exit":
				t.Errorf("%s ends the process: return an error", fset.Position(n.Pos()))
			case "fmt.Print", "fmt.Println", "fmt.Printf":
				t.Errorf("%s prints: libraries log or return", fset.Position(n.Pos()))
			}
			return true
		})
	})
}

// TestNothingIsLeftToDo: what is not there is absent, not promised.
func TestNothingIsLeftToDo(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X"}
	eachFile(t, func(name string, fset *token.FileSet, f *ast.File) {
		for _, group := range f.Comments {
			for _, c := range group.List {
				for _, word := range strings.FieldsFunc(c.Text, func(r rune) bool { return r < 'A' || r > 'z' }) {
					for _, mark := range marks {
						if word == mark {
							t.Errorf("%s: %s in a comment: do it, or write it down where it is planned", fset.Position(c.Pos()), mark)
						}
					}
				}
			}
		}
	})
}
