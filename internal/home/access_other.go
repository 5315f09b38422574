//go:build !unix

package home

import (
	"fmt"
	"os"
)

// checkAccess cannot tell who reaches a directory where modes do not say so.
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
