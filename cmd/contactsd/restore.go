package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"contactsd/internal/home"
	"contactsd/node"
	"contactsd/store"
)

func newRestoreCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "put a copy of the store in its place",
		Long: `restore examines FILE, a copy of contacts.db that was made while no daemon ran,
and puts it in the place of the home's store. The store that was there is kept
beside it. The key is not touched: a device is its key. If that daemon was killed,
FILE-wal has to be there as well, and belongs to the copy.

Do not copy the file back by hand: restore also notes that the device was set
back, so that messages it sent since then and those it sends from now on can't be
taken for each other.`,
		Example: `  contactsd restore /backup/contacts.db
  contactsd restore --home /tmp/ana old.db`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{hinted{errors.New("restore takes one file"), "see: contactsd restore --help"}}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return restore(cmd.OutOrStdout(), dir, args[0])
		},
	}
	cmd.Flags().StringVar(&dir, "home", "", "`DIR` of everything the device keeps (default $CONTACTSD_HOME, else as XDG has it)")
	return cmd
}

func restore(out io.Writer, dir, file string) error {
	h, err := home.Resolve(dir)
	if err != nil {
		return err
	}
	if err := h.Prepare(); err != nil {
		return err
	}
	lock, err := h.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release()
	kept, err := node.Restore(file, h.Store, owner(h))
	switch {
	case errors.Is(err, store.ErrCorrupt):
		return hinted{err, "nothing was changed; try an older copy"}
	case errors.Is(err, fs.ErrNotExist):
		return hinted{err, "name a copy of contacts.db"}
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "restored %s\n", h.Store)
	if kept != "" {
		fmt.Fprintf(out, "the store before is %s\n", kept)
	}
	return nil
}
