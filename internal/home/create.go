package home

import (
	"errors"
	"fmt"
	"os"

	"github.com/authsome/authsome/internal/durable"
)

// makeDir makes one directory, unless it is there.
func makeDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("home: %w", err)
	}
	return nil
}

// createFile writes a file that does not exist yet, and leaves one that does, which
// another process may have written and changed since.
func createFile(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := durable.Create(path, data); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}
