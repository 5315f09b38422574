package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestReadersSeeWholeFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	const size = 1 << 16
	for name, write := range map[string]func(string) error{
		"Replace": func(s string) error { return Replace(path, []byte(s), 0o600) },
		"Rename": func(s string) error {
			if err := Write(path+".new", []byte(s)); err != nil {
				return err
			}
			return Rename(path+".new", path)
		},
	} {
		if err := write(strings.Repeat("0", size)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var done atomic.Bool
		var reader sync.WaitGroup
		reader.Go(func() {
			for !done.Load() {
				b, err := os.ReadFile(path)
				if err != nil || len(b) != size || strings.Trim(string(b), string(b[:1])) != "" {
					t.Errorf("%s: read %d bytes, %v", name, len(b), err)
					return
				}
			}
		})
		for i := range 20 {
			if err := write(strings.Repeat(fmt.Sprint(i%10), size)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		done.Store(true)
		reader.Wait()
	}
}

func TestCreateSucceedsOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			switch err := Create(path, fmt.Append(nil, i)); {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, os.ErrExist):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := created.Load(); n != 1 {
		t.Errorf("%d calls created the file", n)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestFailureKeepsOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Replace(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for name, err := range map[string]error{
		"Rename":  Rename(filepath.Join(dir, "absent"), path),
		"Replace": Replace(filepath.Join(dir, "absent", "file"), nil, 0o600),
		"Create":  Create(filepath.Join(dir, "absent", "file"), nil),
		"Write":   Write(filepath.Join(dir, "absent", "file"), nil),
		"SyncDir": SyncDir(filepath.Join(dir, "absent")),
	} {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
}
