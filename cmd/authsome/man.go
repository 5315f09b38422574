package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
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
			root.DisableAutoGenTag = true // the page is made from the binary, not from a day
			header := &doc.GenManHeader{Section: "1", Source: versionLine(), Manual: "authsome manual"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			a.infof("the pages are in %s; man authsome-run shows one", args[0])
			return nil
		},
	}
}
