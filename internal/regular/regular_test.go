//go:build unix

package regular_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/authsome/authsome/internal/regular"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// No function for the home opens anything but a regular file, and none waits.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	pipe, linked := filepath.Join(dir, "pipe"), filepath.Join(dir, "linked")
	must(t, syscall.Mkfifo(pipe, 0o600))
	must(t, os.Symlink(pipe, linked))
	device := filepath.Join(dir, "device")
	must(t, os.Symlink("/dev/null", device))
	for path, described := range map[string]string{pipe: "a named pipe", linked: "a named pipe", device: "a device", dir: "a directory"} {
		for name, open := range map[string]func() error{
			"Check":  func() error { return regular.Check(path) },
			"Open":   func() error { _, err := regular.Open(path); return err },
			"Append": func() error { _, err := regular.Append(path); return err },
			"Read":   func() error { _, err := regular.Read(path, 10); return err },
			"Lock":   func() error { _, err := regular.Lock(path); return err },
		} {
			err := open()
			if e, ok := errors.AsType[*regular.Error](err); !ok || e.Path != path || !strings.Contains(err.Error(), described) {
				t.Errorf("%s %s: %v", name, path, err)
			}
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, []byte("0123456789"), 0o600))
	if b, err := regular.Read(path, 10); err != nil || string(b) != "0123456789" {
		t.Errorf("a file of the largest size: %q, %v", b, err)
	}
	for name, read := range map[string]func(string, int64) ([]byte, error){"Read": regular.Read, "ReadNamed": regular.ReadNamed} {
		if _, err := read(path, 9); !isSize(err) {
			t.Errorf("%s of a larger file: %v", name, err)
		}
	}
	if _, err := regular.ReadNamed("/dev/zero", 1<<20); !isSize(err) || err.Error() != "/dev/zero is larger than 1 MiB" {
		t.Errorf("an endless device: %v", err)
	}
	if _, err := regular.Read(path+"-none", 9); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "stat") {
		t.Errorf("a file that does not exist: %v", err)
	}
}

func isSize(err error) bool {
	_, ok := errors.AsType[*regular.SizeError](err)
	return ok
}

func TestReadBeginning(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	must(t, os.WriteFile(file, []byte("12345"), 0o600))
	must(t, syscall.Mkfifo(pipe, 0o600))
	for limit, want := range map[int64]string{0: "", 3: "123", 5: "12345", 9: "12345"} {
		if b := regular.ReadBeginning(file, limit); string(b) != want {
			t.Errorf("%d bytes: %q", limit, b)
		}
	}
	for _, path := range []string{pipe, dir, filepath.Join(dir, "missing")} {
		if b := regular.ReadBeginning(path, 9); b != nil {
			t.Errorf("%s: %q", path, b)
		}
	}
}

func TestNamedFileCanBeAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte("text"), 0) }()
	if b, err := regular.ReadNamed(path, 4); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	must(t, <-written)
	if _, err := regular.AppendNamed(path); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("append to a pipe without a reader: %v", err)
	}
	if _, err := regular.OpenNamed(t.TempDir()); err == nil {
		t.Error("opened a directory")
	}
}

func TestLockCreatesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := regular.Lock(path)
	must(t, err)
	defer first.Close()
	if locked, err := first.TryLock(); !locked || err != nil {
		t.Fatalf("%v, %v", locked, err)
	}
	second, err := regular.Lock(path)
	must(t, err)
	defer second.Close()
	if locked, err := second.TryLock(); locked || err != nil {
		t.Errorf("locked twice: %v, %v", locked, err)
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}
