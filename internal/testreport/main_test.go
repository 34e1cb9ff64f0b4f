package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, in, last string
		ok             bool
		shows          []string
	}{
		{
			"all pass",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}`,
			"1 passed, 0 failed, 0 skipped", true, []string{"ok    p  1.5 s"},
		},
		{
			"one fails and says why",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"want 1\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p"}`,
			"0 passed, 1 failed, 0 skipped", false, []string{"want 1"},
		},
		{
			"a skip shows its reason",
			`{"Action":"output","Package":"p","Test":"TestA","Output":"needs root\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}`,
			"1 passed, 0 failed, 1 skipped", true, []string{"needs root"},
		},
		{
			"a package that does not build",
			`{"ImportPath":"p [p.test]","Action":"build-output","Output":"undefined: x\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}`,
			"0 passed, 1 failed, 0 skipped", false, []string{"undefined: x"},
		},
		{
			"a package that panics outside a test",
			`{"Action":"output","Package":"p","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}`,
			"0 passed, 1 failed, 0 skipped", false, []string{"boom"},
		},
		{
			"a program that crashes in a test",
			`{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"SIGSEGV: segmentation violation\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t70.9s\n"}
{"Action":"fail","Package":"p"}`,
			"0 passed, 1 failed, 0 skipped", false, []string{"did not end: TestA", "SIGSEGV"},
		},
		{"nothing ran", "", "0 passed, 0 failed, 0 skipped", false, []string{"no test ran"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(test.in), &out)
			if err != nil || ok != test.ok {
				t.Fatalf("ok %v, %v; want %v", ok, err, test.ok)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != test.last {
				t.Errorf("last line %q, want %q", last, test.last)
			}
			for _, text := range test.shows {
				if !strings.Contains(out.String(), text) {
					t.Errorf("output lacks %q:\n%s", text, out.String())
				}
			}
		})
	}
}
