package archtest

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"
)

const maxLines = 600

func TestFilesAreFormattedAndShort(t *testing.T) {
	sources(t, func(name string, text []byte) {
		if generated(text) {
			return
		}
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines: at %d a file has two subjects", name, n, maxLines)
		}
		formatted, err := format.Source(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(formatted, text) {
			t.Errorf("%s is not formatted: run gofmt -w %s", name, name)
		}
	})
}

// TestKeyIsHandedToTheTransportAlone: whoever else had the raw key could sign
// anything with it.
func TestKeyIsHandedToTheTransportAlone(t *testing.T) {
	callers := 0
	eachFile(t, func(name string, fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "TransportKey" {
				callers++
				switch dir := path.Dir(name); {
				case dir == "transport/p2p":
				case dir == "identity" && strings.HasSuffix(name, "_test.go"):
				default:
					t.Errorf("%s uses TransportKey: only transport/p2p may", fset.Position(sel.Pos()))
				}
			}
			return true
		})
	})
	if callers == 0 {
		t.Error("nobody uses TransportKey: the rule looks at another name")
	}
}

// TestNoStateOutsideOfValues: a package-level variable that can change makes two
// devices in one process share it, and tests wait for each other.
func TestNoStateOutsideOfValues(t *testing.T) {
	eachFile(t, func(name string, fset *token.FileSet, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: init runs for whoever imports the package; call a function instead", fset.Position(d.Pos()))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					for _, spec := range d.Specs {
						mutable(t, fset, d, spec.(*ast.ValueSpec))
					}
				}
			}
		}
	})
}

func mutable(t *testing.T, fset *token.FileSet, d *ast.GenDecl, v *ast.ValueSpec) {
	t.Helper()
	at := fset.Position(v.Pos())
	embedded := d.Doc != nil && strings.Contains(d.Doc.Text()+rawComment(d.Doc), "go:embed")
	if len(v.Values) == 0 && !embedded {
		t.Errorf("%s: %s has no value, so it is there to be changed", at, v.Names[0])
	}
	for i, value := range v.Values {
		if name := strings.ToLower(v.Names[i].Name); name == "_" || strings.HasPrefix(name, "err") {
			continue // an error to compare with is a constant in all but name
		}
		if why := changes(value); why != "" {
			t.Errorf("%s: %s is %s: state belongs to a value that somebody owns", at, v.Names[i], why)
		}
	}
}

func rawComment(c *ast.CommentGroup) string {
	var s strings.Builder
	for _, line := range c.List {
		s.WriteString(line.Text)
	}
	return s.String()
}

// changes says what makes a value one that can change, "" if nothing obvious does.
func changes(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && (f.Name == "make" || f.Name == "new") {
			return "made with " + f.Name
		}
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return "a pointer"
		}
	case *ast.CompositeLit:
		if sel, ok := e.Type.(*ast.SelectorExpr); ok {
			if p, ok := sel.X.(*ast.Ident); ok && (p.Name == "sync" || p.Name == "atomic") {
				return "a " + p.Name + "." + sel.Sel.Name
			}
		}
	}
	return ""
}

func eachFile(t *testing.T, f func(name string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	sources(t, func(name string, text []byte) {
		if generated(text) {
			return
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		f(name, fset, file)
	})
}

// TestPackagesSayWhatTheyAreFor looks for a package comment in each.
func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	documented := make(map[string]bool)
	eachFile(t, func(name string, _ *token.FileSet, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		dir := path.Dir(name)
		documented[dir] = documented[dir] || f.Doc != nil
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func TestChangesSeesWhatChanges(t *testing.T) {
	for text, want := range map[string]bool{
		`make(map[string]int)`:      true,
		`new(int)`:                  true,
		`&T{}`:                      true,
		`sync.Mutex{}`:              true,
		`errors.New("x")`:           false,
		`[...]string{"a"}`:          false,
		`store.NewTable[T]("x", 1)`: false,
		`"dev"`:                     false,
	} {
		e, err := parser.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := changes(e) != ""; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
