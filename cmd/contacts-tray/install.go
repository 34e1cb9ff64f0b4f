package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"contactsd/internal/legible"
)

// entryName is the file's name among those of programs that a desktop starts.
const entryName = "contacts-tray.desktop"

func installCommand() *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "have the desktop start the tray at login",
		Long: `install writes a file into the folder autostart of your configuration that has the
desktop start this program when you log in. With --remove it takes the file away.`,
		Example: "  contacts-tray install\n  contacts-tray install --remove",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := filepath.Join(xdg.ConfigHome, "autostart", entryName)
			if remove {
				if err := os.Remove(path); err != nil {
					return failure{err}
				}
				fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", legible.Line(path))
				return nil
			}
			if err := install(path); err != nil {
				return failure{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\n", legible.Line(path))
			return nil
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "do not start it at login any more")
	return cmd
}

// install writes the file that starts this program.
func install(path string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := entryOf(program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// loginWait is how long the panel may take at login.
const loginWait = "30s"

// entryOf is the Desktop Entry (freedesktop.org, 1.5) that starts a program at login.
func entryOf(program string) (string, error) {
	if legible.Line(program) != program {
		return "", fmt.Errorf("the path %s can't stand in a desktop entry", legible.Line(program))
	}
	return fmt.Sprintf(`[Desktop Entry]
Type=Application
Version=1.5
Name=Contacts
Comment=Presence, requests and notifications of contactsd
Exec=%s --wait %s
Terminal=false
`, quotedArgument(program), loginWait), nil
}

// quotedArgument quotes an argument for the key Exec, and what that makes for the
// value of a key.
func quotedArgument(s string) string {
	argument := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`, `%`, `%%`).Replace(s)
	return `"` + strings.ReplaceAll(argument, `\`, `\\`) + `"`
}
