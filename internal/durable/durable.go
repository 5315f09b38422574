// Package durable writes files that survive a crash whole: after a power failure
// at any moment a file has its old content or its new content, never a part of
// either, and what a function acknowledged is on the disk.
//
// It does not lock: callers that may run at the same time agree on an order, or
// use [Create], of which exactly one succeeds.
package durable

import (
	"os"
	"path/filepath"

	"github.com/google/renameio/v2/maybe"
)

// Replace writes a file in place of one that may exist. Other processes see the
// old file or the new one.
func Replace(path string, data []byte, mode os.FileMode) error {
	if err := maybe.WriteFile(path, data, mode); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Create writes a file that does not exist yet, with mode 0600. The name appears
// together with the whole content. If the file exists, the error is
// [os.ErrExist]: of several processes that create it at the same time one
// succeeds, because link(2) fails where rename(2) would replace.
func Create(path string, data []byte) error {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f, data); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Write writes the content of a file, with mode 0600 if it is new. The content is
// on the disk when Write returns; the name is once [SyncDir] or [Rename] has
// returned. It is for files that nobody reads before that.
func Write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return fill(f, data)
}

// Rename gives a file or directory another name in place of one that may exist,
// as [os.Rename] does, and makes the new name durable.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// fill writes and closes f.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
