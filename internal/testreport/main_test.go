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
			ok, _, err := report(strings.NewReader(test.in), &out, false)
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

// Only a crash of the detector is forgiven, and only to who asked for the list.
func TestCrashOfTheDetector(t *testing.T) {
	const passes = `{"Action":"pass","Package":"q","Test":"TestB"}
`
	dump := func(lines string) string {
		return passes + `{"Action":"output","Package":"p","Test":"TestA","Output":"` + lines + `"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t70.9s\n"}
{"Action":"fail","Package":"p"}`
	}
	const crash = `SIGSEGV: segmentation violation\nPC=0x437770 m=6 sigcode=1 addr=0x7fa588700000\n\ngoroutine 0 gp=0xc0001785a0 m=6 mp=0xc00007c808 [idle, synctest bubble 2]:\n\ngoroutine 1 gp=0xc0000081e0 m=nil [chan receive]:\n`
	tests := []struct {
		name, in string
		forgive  bool
		ok       bool
		crashed  int
	}{
		{"of the detector", dump(crash), true, true, 1},
		{"of the detector, without a list", dump(crash), false, false, 0},
		{"a panic", dump(`panic: runtime error: invalid memory address\n[signal SIGSEGV: segmentation violation code=0x1]\n\ngoroutine 7 [running]:\n`), true, false, 0},
		{"of a program without bubbles", dump(`SIGSEGV: segmentation violation\nPC=0x437770 m=6\n\ngoroutine 0 gp=0xc0 m=6 [idle]:\n\ngoroutine 1 gp=0xc1 [synctest bubble 2]:\n`), true, false, 0},
		{"beside a test that failed", `{"Action":"fail","Package":"p","Test":"TestC"}
` + dump(crash), true, false, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			ok, crashed, err := report(strings.NewReader(test.in), &out, test.forgive)
			if err != nil || ok != test.ok || len(crashed) != test.crashed {
				t.Errorf("ok %v, crashed %v, %v\n%s", ok, crashed, err, out.String())
			}
		})
	}
}
