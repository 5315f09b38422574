package child

import (
	"errors"
	"slices"
	"strings"
)

// Runtimes that need more than the variables that every command gets. They are set up
// only on request, because their settings are visible in other ways too.
const (
	Java     = "java"
	PHP      = "php"
	Python   = "python"
	Chromium = "chromium"
)

// Runtimes lists the runtimes in the order of messages.
var Runtimes = []string{Java, PHP, Python, Chromium}

// AllRuntimes means every runtime that can be set up on this machine.
const AllRuntimes = "all"

// unavailableError says why a runtime cannot be set up on this machine.
type unavailableError struct{ Runtime, Reason string }

func (e *unavailableError) Error() string { return e.Runtime + " cannot be set up: " + e.Reason }

// AddRuntimes adds the runtimes in names with add. A runtime that is only part of
// [AllRuntimes] is left out if it is unavailable; skipped is told why.
func AddRuntimes(names []string, add func(runtime string) error, skipped func(error)) error {
	for _, r := range Runtimes {
		named := slices.Contains(names, r)
		if !named && !slices.Contains(names, AllRuntimes) {
			continue
		}
		err := add(r)
		if unavailable, ok := errors.AsType[*unavailableError](err); ok && !named {
			skipped(unavailable)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// UnknownRuntime returns the first of the names that is not a runtime, or "".
func UnknownRuntime(names []string) string {
	for _, name := range names {
		if name != AllRuntimes && !slices.Contains(Runtimes, name) {
			return name
		}
	}
	return ""
}

// RuntimeNames are the names for --trust, as a list in words.
func RuntimeNames() string { return strings.Join(Runtimes, ", ") + " or " + AllRuntimes }
