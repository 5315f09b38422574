package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by release builds: -ldflags '-X main.version=…'.
var version string

// buildVersion returns the version of this build, and the revision of its source if
// that is known.
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
		Long:    "Version shows the version of this build. With --json it adds the revision of the\nsource, the version of Go, and the platform.",
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
