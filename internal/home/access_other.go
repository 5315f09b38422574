//go:build !unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkAccess only checks that dir is a directory: here, modes do not say who can
// access it.
func checkAccess(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("home: %s is not a directory", dir)
	}
	return nil
}

// CloseToOthers is not needed here: [Open] returns no [*AccessError].
func CloseToOthers(string) (fs.FileMode, error) { return 0, errors.ErrUnsupported }
