package main

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Mutants are deliberate faults, put into a copy of the source that only the
// compiler sees (go build -overlay), so that nothing of them is in the program. All
// are compiled in at once; mutantVariable says which one is on.

// mutantVariable is the environment variable that turns a mutant on.
const mutantVariable = "CONTACTSD_MUTANT"

// mutant is one fault: Old, which is in File once, becomes New, in which
// mutant("name") says whether the fault is on.
type mutant struct {
	Name string
	File string // from the root of the module
	Old  string
	New  string
	Hint uint64 // a seed that is known to catch it, from which the search begins
}

// apply returns what the changed files hold, by path.
func apply(root string, list []mutant) (map[string]string, error) {
	files := make(map[string]string)
	for _, m := range list {
		path := filepath.Join(root, m.File)
		text, read := files[path]
		if !read {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		switch n := strings.Count(text, m.Old); {
		case n != 1:
			return nil, fmt.Errorf("mutant %s: its place is %d times in %s, want once", m.Name, n, m.File)
		case !strings.Contains(m.New+helpers[m.File], `mutant("`+m.Name+`")`):
			return nil, fmt.Errorf("mutant %s: nothing turns it on", m.Name)
		}
		files[path] = strings.Replace(text, m.Old, m.New, 1)
	}
	for file, text := range helpers {
		if path := filepath.Join(root, file); files[path] != "" {
			files[path] += text
		}
	}
	for _, dir := range packages(files) {
		name, err := packageName(files, dir)
		if err != nil {
			return nil, err
		}
		files[filepath.Join(dir, "mutant_on.go")] = fmt.Sprintf(switchSource, name, mutantVariable)
	}
	return files, nil
}

const switchSource = `package %s

import "os"

var mutantOn = os.Getenv(%q)

func mutant(name string) bool { return name == mutantOn }
`

func packages(files map[string]string) []string {
	dirs := make(map[string]bool)
	for path := range files {
		dirs[filepath.Dir(path)] = true
	}
	return slices.Sorted(maps.Keys(dirs))
}

func packageName(files map[string]string, dir string) (string, error) {
	for path, text := range files {
		if filepath.Dir(path) == dir {
			f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly)
			if err != nil {
				return "", err
			}
			return f.Name.Name, nil
		}
	}
	return "", fmt.Errorf("no file in %s", dir)
}

// overlay writes the changed files where the compiler finds them.
func overlay(dir string, files map[string]string) (string, error) {
	var list struct{ Replace map[string]string }
	list.Replace = make(map[string]string)
	for i, path := range slices.Sorted(maps.Keys(files)) {
		copied := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(copied, []byte(files[path]), 0o600); err != nil {
			return "", err
		}
		list.Replace[path] = copied
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o600)
}

// root returns the folder of the module.
func root() (string, error) {
	b, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "contactsd").Output()
	if err != nil {
		return "", fmt.Errorf("find the source: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// fate is what became of a mutant.
type fate struct {
	Mutant    string `json:"mutant"`
	Caught    bool   `json:"caught"`
	Invariant string `json:"invariant,omitempty"` // that caught it
	Seeds     int    `json:"seeds"`               // that it took, or that did not catch it
	Seed      uint64 `json:"seed,omitempty"`      // that caught it
	What      string `json:"what,omitempty"`
}

// mutate runs each mutant until it is caught.
func (s *simulation) mutate() (ok bool, err error) {
	dir, err := root()
	if err != nil {
		return false, err
	}
	files, err := apply(dir, mutants)
	if err != nil {
		return false, err
	}
	path, err := overlay(s.dir, files)
	if err != nil {
		return false, err
	}
	binary, err := s.build(path)
	if err != nil {
		return false, err
	}
	var fates []fate
	caught := 0
	for _, m := range mutants {
		if s.only != "" && s.only != m.Name {
			continue
		}
		f, err := s.hunt(binary, m)
		if err != nil {
			return false, err
		}
		if f.Caught {
			caught++
		}
		fates = append(fates, f)
		fmt.Fprintf(s.progress, "%s: caught %v, by %s, after %d seeds (%d) %s\n", f.Mutant, f.Caught, f.Invariant, f.Seeds, f.Seed, f.What)
	}
	if len(fates) == 0 {
		return false, fmt.Errorf("no mutant is called %q", s.only)
	}
	if err := s.table(fates); err != nil {
		return false, err
	}
	fmt.Fprintf(s.out, "mutants %d, caught %d\n", len(fates), caught)
	return caught == len(fates), nil
}

// hunt looks for a seed that catches a mutant: the known one, and then from the
// first on.
func (s *simulation) hunt(binary string, m mutant) (fate, error) {
	f := fate{Mutant: m.Name}
	try := func(first uint64, seeds int) error {
		list, err := s.runs(batch{binary: binary, first: first, seeds: seeds, again: 1, mutant: m.Name})
		if err != nil {
			return fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		f.Seeds += len(list)
		for _, r := range list {
			if len(r.Violations) > 0 {
				v := r.Violations[0]
				f.Caught, f.Invariant, f.Seed, f.What = true, v.Invariant, r.Seed, v.What
				return nil
			}
		}
		return nil
	}
	if m.Hint != 0 {
		if err := try(m.Hint, 1); err != nil || f.Caught {
			return f, err
		}
	}
	for !f.Caught && f.Seeds < s.seeds {
		if err := try(s.from+uint64(f.Seeds), min(chunk, s.seeds-f.Seeds)); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (s *simulation) table(fates []fate) error {
	if s.json {
		for _, f := range fates {
			if err := json.NewEncoder(s.out).Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mutant\tinvariant\tseeds needed\tseed")
	for _, f := range fates {
		invariant, seed := f.Invariant, fmt.Sprint(f.Seed)
		if !f.Caught {
			invariant, seed = "SURVIVED", ""
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", f.Mutant, invariant, f.Seeds, seed)
	}
	return w.Flush()
}
