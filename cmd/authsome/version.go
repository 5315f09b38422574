package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by release builds: -ldflags '-X main.version=…'.
var version string

// buildVersion is the version and the revision it was built from.
func buildVersion() (v, revision string) {
	v = version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v, ""
	}
	if v == "" {
		v = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return v, revision
}

func versionLine() string {
	v, _ := buildVersion()
	return "authsome " + v
}

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version",
		Long:    "Version shows which build this is.",
		Example: "  authsome version --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			v, revision := buildVersion()
			if a.JSON {
				return a.PrintJSON(struct {
					Version  string `json:"version"`
					Revision string `json:"revision,omitempty"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{v, revision, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			a.Printf("%s\n", versionLine())
			return nil
		},
	}
}
