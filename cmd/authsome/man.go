package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// newManCmd is for packagers. The pages are written from the help of the commands.
func newManCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages to a directory",
		Long:    "Man writes a page in roff for each command to DIR, which must exist.",
		Example: "  authsome man /usr/local/share/man/man1",
		Hidden:  true,
		Args:    exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // with a date in it, a page would differ in every build
			header := &doc.GenManHeader{Section: "1", Source: versionLine(), Manual: "authsome manual"}
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return exit.Usagef("%s is not a directory", args[0])
			}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write the manual pages: %w", err)
			}
			a.Infof("wrote the pages to %[1]s; show one with man %[1]s/authsome-run.1", filepath.Clean(args[0]))
			return nil
		},
	}
}
