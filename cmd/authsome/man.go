package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// newManCmd is for packagers: the pages are made from the commands' own help.
func newManCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages into a directory",
		Long:    "Man writes one page in roff for each command into DIR, which must exist.",
		Example: "  authsome man /usr/local/share/man/man1",
		Hidden:  true,
		Args:    exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true // a page with a date would differ in every build
			header := &doc.GenManHeader{Section: "1", Source: versionLine(), Manual: "authsome manual"}
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return exit.Usagef("%s is not a directory", args[0])
			}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			a.Infof("wrote the pages to %s; man authsome-run shows one", args[0])
			return nil
		},
	}
}
