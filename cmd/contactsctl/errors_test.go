package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"contactsd/client"
)

// TestExitCodesAreAsDocumented compares the exit codes in docs/errors.md with
// what this program ends with. That the table is whole is tested in api/server.
func TestExitCodesAreAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		cells := strings.Split(line, " | ")
		reason := strings.Trim(cells[0], "|` ")
		var code connect.Code
		if err := code.UnmarshalText([]byte(cells[1])); err != nil {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		want, err := strconv.Atoi(cells[2])
		if err != nil {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		got, _, _ := explain(t.Context(), &cobra.Command{}, failure{&client.Error{Code: code, Reason: reason, Text: "text"}})
		if got != want {
			t.Errorf("%s (%s) ends with %d, documented is %d", reason, code, got, want)
		}
	}
	if rows < 50 {
		t.Errorf("%d rows", rows)
	}
}
