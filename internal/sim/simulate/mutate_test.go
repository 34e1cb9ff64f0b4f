package main

import (
	"strings"
	"testing"
)

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

func TestHintsAreOfMutants(t *testing.T) {
	for name := range hints {
		if _, err := chosen(name); err != nil {
			t.Error(err)
		}
	}
}

// A run of some mutants changes the hints of these alone.
func TestHintsAreKept(t *testing.T) {
	a, b, c := mutants[0].Name, mutants[1].Name, mutants[2].Name
	source, err := hintsSource(map[string]uint64{a: 1, b: 2, "gone": 3}, []fate{{Mutant: b}, {Mutant: c, Caught: true, Seed: 4}})
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(source), "map[string]uint64")
	if got, want := strings.Join(strings.Fields(table), " "), `{ "`+a+`": 1, "`+c+`": 4, }`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestChosenMutants(t *testing.T) {
	if list, err := chosen(""); err != nil || len(list) != len(mutants) {
		t.Errorf("%d mutants, %v", len(list), err)
	}
	two := mutants[3].Name + "," + mutants[1].Name
	if list, err := chosen(two); err != nil || len(list) != 2 || list[0].Name != mutants[3].Name || list[1].Name != mutants[1].Name {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := chosen("no-such"); err == nil {
		t.Error("a mutant that is none was found")
	}
}
