// Package regular opens files that the program did not create in this process: the
// files of the home, and files that the user names.
//
// Something else can be in the place of a file: a named pipe, which blocks the process
// that opens it, a device, which never ends, a directory, or a file of any size. [Open],
// [OpenFile], [Read] and [Lock] are for the home, whose files are regular. They refuse
// everything else with an [*Error] before they open it, so that no device notices.
// [OpenNamed] and [ReadNamed] are for a file that a user names, which can be a pipe or a
// terminal: --passphrase-file <(pass show x). Symbolic links are followed.
//
// The package does not interpret what it reads. Its invariant: no function for the home
// waits for another process, and no function reads more than its caller allowed.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// Error reports what is in the place of a regular file.
type Error struct {
	Path string
	Mode fs.FileMode
}

func (e *Error) Error() string { return e.Path + " is " + e.Reason() }

// Reason is the error without the path.
func (e *Error) Reason() string { return kind(e.Mode) + ", not a regular file" }

// kind describes what is not a regular file.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// SizeError reports a file that is larger than its reader allows.
type SizeError struct {
	Path  string
	Limit int64 // in bytes
}

func (e *SizeError) Error() string { return e.Path + " is " + e.Reason() }

// Reason is the error without the path.
func (e *SizeError) Reason() string {
	if e.Limit >= 1<<20 {
		return fmt.Sprintf("larger than %d MiB", e.Limit>>20)
	}
	return fmt.Sprintf("larger than %d KiB", e.Limit>>10)
}

// Check returns an [*Error] if something other than a regular file is at path. A file
// that does not exist is [fs.ErrNotExist].
func Check(path string) error {
	info, err := stat(path)
	if err != nil {
		return err
	}
	return checkMode(path, info)
}

// stat names the operation in its errors that the caller asked for.
func stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		e.Op = "open"
	}
	return info, err
}

func checkMode(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &Error{path, info.Mode()}
	}
	return nil
}

// CheckDir returns an [*Error] or [fs.ErrNotExist] if path is not a directory.
func CheckDir(path string) error {
	info, err := stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	return nil
}

// Open opens a regular file for reading.
func Open(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY, 0) }

// OpenFile opens a regular file as [os.OpenFile] does.
func OpenFile(path string, flag int, perm os.FileMode) (*os.File, error) {
	if err := Check(path); err != nil && !(flag&os.O_CREATE != 0 && errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	// A pipe that appears after the check is opened without waiting for its other end,
	// and refused by the second check.
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkMode(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Append opens a regular file for appending, and creates it with mode 0600.
func Append(path string) (*os.File, error) {
	return OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// Read reads a regular file of at most limit bytes. A larger one is a [*SizeError].
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// ReadBeginning reads at most limit bytes of a regular file, and leaves out the rest. It
// returns nothing if the file cannot be read.
func ReadBeginning(path string, limit int64) []byte {
	f, err := Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, limit))
	return b
}

// Lock returns the lock at path, which is a regular file or does not exist. It is not
// locked yet.
func Lock(path string) (*flock.Flock, error) {
	if err := Check(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NONBLOCK)), nil
}

// OpenNamed opens a file that the user names, for reading. It can be a pipe or a
// terminal, for which it may wait, but not a directory, a socket or a disk.
func OpenNamed(path string) (*os.File, error) {
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir(), mode&fs.ModeSocket != 0, mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		return nil, &Error{path, mode}
	}
	return os.Open(path)
}

// ReadNamed reads at most limit bytes of a file that the user names; see [OpenNamed].
// A larger one is a [*SizeError].
func ReadNamed(path string, limit int64) ([]byte, error) {
	f, err := OpenNamed(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// AppendNamed opens a file that the user names, for appending, and creates it with mode
// 0600. It does not wait for the reader of a pipe: without one, it returns an error.
func AppendNamed(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
}

// readAll reads f to its end. It does not rely on the size of the file, which can grow,
// and which is 0 for files of /proc.
func readAll(f *os.File, limit int64) ([]byte, error) {
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		return nil, &SizeError{f.Name(), limit}
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, &SizeError{f.Name(), limit}
	}
	return b, nil
}
