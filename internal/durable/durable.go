// Package durable writes files that survive a crash. After a power failure at any
// moment, a file has either its old content or its new content, never a part of
// one. When a function has returned nil, its change is on the disk. On Windows,
// [Replace] overwrites the file in place and directories are not synced, so a crash
// can lose a change or a file's content there.
//
// It does not lock. Callers that may run at the same time must take turns, or use
// [Create]: of several concurrent calls for one path, exactly one succeeds.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authsome/authsome/internal/regular"

	"github.com/google/renameio/v2/maybe"
)

// Replace writes a file and replaces the file that may exist. Other processes see
// the old file or the new one. mode is for a new file; an existing file keeps its
// mode.
func Replace(path string, data []byte, mode os.FileMode) error {
	if err := maybe.WriteFile(path, data, mode); err != nil {
		return about(path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// Create writes a new file with mode 0600. Other processes see it only with its
// whole content. If the file exists, the error is [os.ErrExist]. Of several
// processes that create it at the same time, one succeeds: link(2) fails for an
// existing name, while rename(2) would replace it.
func Create(path string, data []byte) error {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+"-*") // 0600
	if err != nil {
		return about(path, err)
	}
	defer os.Remove(f.Name())
	if err := fill(f, data); err != nil {
		return about(path, err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return about(path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// Write writes a file in place, with mode 0600 if it is new. The content is on the
// disk when Write returns. The name is on the disk after [SyncDir] or [Rename]. Use
// it for files that no process reads before that: they could see a part of the
// content.
func Write(path string, data []byte) error {
	f, err := regular.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return fill(f, data)
}

// Rename renames a file or directory as [os.Rename] does, replacing a file that may
// exist, and makes the new name durable.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// about is the error about the file that was to be written, not about the temporary
// file that was in its place.
func about(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	return err
}

// fill writes data to f, syncs and closes it.
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
