package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// Mutants are deliberate faults, put into a copy of the source that only the
// compiler sees (go build -overlay), so that nothing of them is in the program. All
// are compiled in at once; mutantVariable says which one is on.

// mutantVariable is the environment variable that turns a mutant on.
const mutantVariable = "CONTACTSD_MUTANT"

// mutant is one fault, in one place, or in several where one alone would be made good
// by another.
type mutant struct {
	Name string
	File string // from the root of the module
	Old  string
	New  string
	Also []change
}

// change is one place: Old, which is in File once, becomes New, in which
// mutant("name") says whether the fault is on.
type change struct{ File, Old, New string }

func (m mutant) changes() []change { return append([]change{{m.File, m.Old, m.New}}, m.Also...) }

// apply returns what the changed files hold, by path.
func apply(root string, list []mutant) (map[string]string, error) {
	files := make(map[string]string)
	for _, m := range list {
		for _, c := range m.changes() {
			path := filepath.Join(root, c.File)
			text, read := files[path]
			if !read {
				b, err := os.ReadFile(path)
				if err != nil {
					return nil, err
				}
				text = string(b)
			}
			switch n := strings.Count(text, c.Old); {
			case n != 1:
				return nil, fmt.Errorf("mutant %s: its place is %d times in %s, want once", m.Name, n, c.File)
			case !strings.Contains(c.New+helpers[c.File], `mutant("`+m.Name+`")`):
				return nil, fmt.Errorf("mutant %s: nothing turns it on in %s", m.Name, c.File)
			}
			files[path] = strings.Replace(text, c.Old, c.New, 1)
		}
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
	Runs      int    `json:"runs"`                // that it took, or that did not catch it
	Seed      uint64 `json:"seed,omitempty"`      // that caught it
	What      string `json:"what,omitempty"`
}

// mutate runs each mutant until it is caught.
func (s *simulation) mutate() (ok bool, err error) {
	list, err := chosen(s.only)
	if err != nil {
		return false, err
	}
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
	fates, err := s.recall(binary, list)
	if err != nil {
		return false, err
	}
	caught := 0
	for i, m := range list {
		f := &fates[i]
		if !f.Caught {
			if err := s.hunt(binary, m, f); err != nil {
				return false, err
			}
		}
		if f.Caught {
			caught++
		}
		fmt.Fprintf(s.progress, "%s: caught %v, by %s, after %d runs (%d) %s\n", f.Mutant, f.Caught, f.Invariant, f.Runs, f.Seed, f.What)
	}
	if err := s.table(fates); err != nil {
		return false, err
	}
	fmt.Fprintf(s.out, "mutants %d, caught %d\n", len(fates), caught)
	if s.hints {
		err = writeHints(dir, fates)
	}
	return caught == len(fates), err
}

// chosen returns the mutants of these names, with commas between them; all for "".
func chosen(names string) (list []mutant, err error) {
	if names == "" {
		return mutants, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(mutants, func(m mutant) bool { return m.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no mutant is called %q", name)
		}
		list = append(list, mutants[i])
	}
	return list, nil
}

// recalls is how often the seed that caught a mutant before is run: the scheduler is
// free, so that it may not catch it each time.
const recalls = 6

// recall runs each mutant with the seed that caught it before, several at once.
func (s *simulation) recall(binary string, list []mutant) ([]fate, error) {
	fates, errs := make([]fate, len(list)), make([]error, len(list))
	var running sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, m := range list {
		fates[i].Mutant = m.Name
		seed := hints[m.Name]
		if seed == 0 {
			continue
		}
		running.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			errs[i] = s.try(batch{binary: binary, first: seed, seeds: 1, again: recalls, mutant: m.Name, alone: true}, &fates[i])
		})
	}
	running.Wait()
	return fates, errors.Join(errs...)
}

// hunt looks for a seed that catches a mutant, from the first on. One that is to be
// noted has to do so twice.
func (s *simulation) hunt(binary string, m mutant, f *fate) error {
	for next, end := s.from, s.from+uint64(s.seeds); next < end; {
		b := batch{binary: binary, first: next, seeds: min(chunk, int(end-next)), again: 1, mutant: m.Name}
		if err := s.try(b, f); err != nil {
			return err
		}
		if !f.Caught {
			next += uint64(b.seeds)
			continue
		}
		if !s.hints {
			return nil
		}
		next = f.Seed + 1
		*f = fate{Mutant: m.Name, Runs: f.Runs}
		b.first, b.seeds, b.again = next-1, 1, recalls/2
		if err := s.try(b, f); err != nil || f.Caught {
			return err
		}
	}
	return nil
}

// try runs a batch with a mutant on, and notes whether it is caught.
func (s *simulation) try(b batch, f *fate) error {
	list, err := s.runs(b)
	if err != nil {
		return fmt.Errorf("mutant %s: %w", b.mutant, err)
	}
	f.Runs += len(list)
	for _, r := range list {
		if len(r.Violations) > 0 {
			v := r.Violations[0]
			f.Caught, f.Invariant, f.Seed, f.What = true, v.Invariant, r.Seed, v.What
			return nil
		}
	}
	return nil
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
	fmt.Fprintln(w, "mutant\tinvariant\truns needed\tseed")
	for _, f := range fates {
		invariant, seed := f.Invariant, fmt.Sprint(f.Seed)
		if !f.Caught {
			invariant, seed = "SURVIVED", ""
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", f.Mutant, invariant, f.Runs, seed)
	}
	return w.Flush()
}
