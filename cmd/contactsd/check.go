package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"contactsd/contact"
	"contactsd/identity"
	"contactsd/internal/home"
	"contactsd/node"
	"contactsd/store"
)

func newCheckCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "examine the store of a home",
		Long: `check reads every page and record of the store of a home whose daemon does not
run: whether each can be decoded, whether statements are signed by whom they say,
and whether the tables fit together. It says what is whole and what is damaged,
and changes nothing. If the daemon was killed, it examines what the store will be
when it is started again, in a copy in the folder for temporary files.

The exit code is 0 for a store that is whole, 1 for any other.`,
		Example: `  contactsd check
  contactsd check --home /tmp/ana --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(cmd.OutOrStdout(), dir, asJSON)
		},
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{hinted{errors.New("check takes no arguments"), "see: contactsd check --help"}}
		}
		return nil
	}
	cmd.Flags().StringVar(&dir, "home", "", "`DIR` of everything the device keeps (default $CONTACTSD_HOME, else as XDG has it)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// checked is what `check --json` prints.
type checked struct {
	Path  string `json:"path"`
	Whole bool   `json:"whole"`
	store.Report
}

const (
	hintDamaged = "put back a copy of the store: contactsd restore FILE; without one, keep this file and see docs/operations.md"
	hintNoHome  = "name the home of the device with --home"
)

func check(out io.Writer, dir string, asJSON bool) error {
	h, err := home.Resolve(dir)
	if err != nil {
		return err
	}
	release, err := lockToRead(h)
	if err != nil {
		return err
	}
	defer release()
	r, err := node.Check(h.Store, owner(h))
	if errors.Is(err, fs.ErrNotExist) {
		return hinted{err, hintNoHome}
	}
	if err != nil {
		return err
	}
	whole := len(r.Damage) == 0
	if r.Damage == nil {
		r.Damage = store.Damages{}
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(checked{h.Store, whole, r})
	} else {
		err = printReport(out, h.Store, r)
	}
	if err == nil && !whole {
		err = hinted{fmt.Errorf("%w: %d damages in %s", store.ErrCorrupt, len(r.Damage), h.Store), hintDamaged}
	}
	return err
}

// lockToRead takes the home's lock. Where that can't be written, on a disk that
// is mounted to be read only, the store's own lock has to do.
func lockToRead(h home.Home) (release func(), err error) {
	if _, err := os.Stat(h.Store); errors.Is(err, fs.ErrNotExist) {
		return nil, hinted{fmt.Errorf("no store: %w", err), hintNoHome}
	}
	lock, err := h.Acquire()
	if errors.Is(err, home.ErrInUse) {
		return nil, err
	}
	if err != nil {
		return func() {}, nil
	}
	return func() { lock.Release() }, nil
}

// owner returns the ODID of the home's key, zero if that can't be read: the store
// is examined all the same.
func owner(h home.Home) contact.ODID {
	id, err := identity.Load(h.Key)
	if err != nil {
		return contact.ODID{}
	}
	return id.Self()
}

func printReport(out io.Writer, path string, r store.Report) error {
	fmt.Fprintf(out, "%s, %d bytes\n", path, r.Bytes)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "table\tversion\trows\tdamaged")
	for _, s := range r.Tables {
		version := "unknown"
		if s.Version > 0 {
			version = fmt.Sprint(s.Version)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", s.Name, version, s.Rows, s.Damaged)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, d := range r.Damage {
		fmt.Fprintf(out, "damaged: %v\n", d)
	}
	if len(r.Damage) == 0 {
		fmt.Fprintln(out, "whole")
	}
	return nil
}
