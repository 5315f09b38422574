package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// newManCmd is for packagers, and for people who want the pages on their machine.
func newManCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages to a directory",
		Long: `Man writes a manual page for each command to DIR, which must exist. The pages
have the text of the commands' help. Existing pages of authsome are replaced.`,
		Example: "  authsome man /usr/local/share/man/man1",
		Args:    exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := filepath.Clean(args[0])
			if err := checkDirectory(dir, ""); err != nil {
				return err
			}
			written := 0
			for c := range everyCommand(cmd.Root()) {
				if c.Hidden || c.Name() == "help" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, pageName(c)+".1"), []byte(manPage(c)), 0o644); err != nil {
					return fmt.Errorf("write the manual pages: %w", err)
				}
				written++
			}
			if a.JSON {
				return a.PrintJSON(struct {
					Dir   string `json:"dir"`
					Pages int    `json:"pages"`
				}{dir, written})
			}
			a.Infof("wrote %d pages to %s; show one with man %s", written, dir, dir+string(filepath.Separator)+"authsome-run.1")
			return nil
		},
	}
}

// pageName is the name of the manual page of a command.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }
