package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// makeDir makes one directory, unless it is there.
func makeDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("home: %w", err)
	}
	return nil
}

// createFile writes a file that does not exist yet, and leaves one that does.
// The name appears together with the whole content, and only once however many
// processes try: link(2) fails where rename(2) would replace what another
// process has written and changed since.
func createFile(path string, data []byte) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+"-*") // 0600
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	switch {
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return fmt.Errorf("create %s: %w", path, err)
	}
	return syncDir(dir)
}
