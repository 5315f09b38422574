package child

import (
	"os"
	"path/filepath"
	"strings"
)

// ModeVariable is set to "true" in the environment of a child, so that programs can
// detect that they run with the proxy.
const ModeVariable = "AUTHSOME_PROXY_MODE"

// HomesVariable names the homes that the child's proxies serve: that of the run, and
// those of runs that this run is in.
const HomesVariable = "AUTHSOME_RUN_HOMES"

// profileVariable names the profile that authsome's commands use.
const profileVariable = "AUTHSOME_PROFILE"

// setMode marks the environment of a child.
func (e *Environment) setMode(env map[string]string) {
	homes := e.Home
	if outer, set := env[HomesVariable]; set && env[ModeVariable] != "" {
		homes = outer + string(filepath.ListSeparator) + homes
	}
	env[ModeVariable] = "true"
	if _, set := env[profileVariable]; set { // authsome's commands inside are about the profile that is served
		env[profileVariable] = e.Profile
	}
	env[HomesVariable] = homes
	if e.Home == "" || strings.ContainsRune(e.Home, filepath.ListSeparator) {
		delete(env, HomesVariable) // it cannot be in a list, so every home counts as served
	}
}

// Serves reports whether the environment is that of a run's child, and the run serves
// the home in dir. Without the list of homes, which nobody set or something removed,
// every home counts as served, and so does a list with a home that cannot be found.
func Serves(getenv func(string) string, dir string) bool {
	if getenv(ModeVariable) == "" {
		return false
	}
	list := getenv(HomesVariable)
	if list == "" {
		return true
	}
	used, errUsed := os.Stat(dir)
	for _, home := range filepath.SplitList(list) {
		served, err := os.Stat(home)
		if err != nil || errUsed == nil && os.SameFile(served, used) {
			return true
		}
	}
	return false
}
