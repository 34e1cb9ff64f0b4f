// Package browse opens files in the user's browser.
package browse

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// Program opens a file as the desktop does (xdg-utils).
const Program = "xdg-open"

// ErrMissing says that no browser can be opened.
var ErrMissing = errors.New(Program + " is not installed, so no browser can be opened")

// Find returns ErrMissing if Open would.
func Find() error {
	if _, err := exec.LookPath(Program); err != nil {
		return ErrMissing
	}
	return nil
}

// Open has the browser show a file. It returns when the desktop has taken it over.
// The file's path becomes an argument of a program, where other users can read it,
// so it must be no secret.
func Open(ctx context.Context, file string) error {
	if err := Find(); err != nil {
		return err
	}
	if err := exec.CommandContext(ctx, Program, file).Run(); err != nil {
		return fmt.Errorf("%s could not open a browser: %w", Program, err)
	}
	return nil
}
