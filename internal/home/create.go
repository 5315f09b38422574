package home

import (
	"errors"
	"fmt"
	"os"

	"github.com/authsome/authsome/internal/regular"

	"github.com/authsome/authsome/internal/durable"
)

// makeDir creates a directory, unless it exists.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrExist) {
		err = regular.CheckDir(path)
	}
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	return nil
}

// createFile creates a file, unless it exists: another process may have created it
// and changed it since.
func createFile(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := durable.Create(path, data); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}
