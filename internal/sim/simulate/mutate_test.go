package main

import "testing"

// Mutants are places in the source: they must be found when it has changed.
func TestMutantsFitTheSource(t *testing.T) {
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := apply(dir, mutants)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, m := range mutants {
		if names[m.Name] {
			t.Errorf("two mutants are called %s", m.Name)
		}
		names[m.Name] = true
	}
	if len(mutants) < 25 || len(files) < 8 {
		t.Errorf("%d mutants in %d files", len(mutants), len(files))
	}
}
