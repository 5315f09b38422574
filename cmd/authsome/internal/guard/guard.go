// Package guard knows what a command must not do behind the proxy, where an agent may
// be the one who runs it, and whether this process is behind a proxy.
//
// It guards against commands that move, widen, reveal or destroy a credential of the
// home that a run serves. It is a guard and not a boundary: programs of the same user can
// read the home's files. Its invariant: every command and global flag of the program has a rule.
package guard

import (
	"os"

	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/runs"
)

// Behind reports whether this process is behind a proxy that serves the home in dir, if
// that is known: an isolated run hides the home, the variables of a run say so, or one of
// the processes that started this one is a run. The error means that it is not known.
func Behind(getenv func(string) string, dir string) (bool, error) {
	if dir != "" && runs.IsIsolated(dir) || child.Serves(getenv, dir) {
		return true, nil
	}
	if dir == "" {
		return false, nil // nothing can be done without a home
	}
	behind, err := runs.Behind(dir)
	if err != nil {
		if _, errHome := os.ReadDir(dir); errHome != nil {
			return false, nil // nothing can be done with this home
		}
	}
	return behind, err
}
