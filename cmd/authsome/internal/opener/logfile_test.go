package opener

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authsome/authsome/internal/regular"
)

func mustOpenLog(t *testing.T, path string, limit int64) *logFile {
	t.Helper()
	l, err := openLogFile(path, limit, regular.AppendNamed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// However much several processes write, the log has two files within its limit, which
// have the newest lines, and every line is whole.
func TestLogRotatesWhileItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authsome.log")
	const limit, lines = 10_000, 2000
	var writers sync.WaitGroup
	for w := range 4 {
		l := mustOpenLog(t, path, limit)
		writers.Go(func() {
			for i := range lines {
				if _, err := fmt.Fprintf(l, "writer %d line %04d %s\n", w, i, strings.Repeat("x", 40)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	last := mustOpenLog(t, path, limit)
	fmt.Fprintf(last, "the last line\n")
	var all []byte
	for _, file := range []string{path + ".1", path} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// Two writers can pass the check of the size at the same time.
		if len(text) > 2*limit {
			t.Errorf("%s has %d bytes", filepath.Base(file), len(text))
		}
		all = append(all, text...)
	}
	if !bytes.HasSuffix(all, []byte("the last line\n")) {
		t.Error("the last line is missing")
	}
	for line := range bytes.Lines(all) {
		if len(line) != len("writer 0 line 0000 \n")+40 && string(line) != "the last line\n" {
			t.Errorf("torn line %q", line)
		}
	}
}

// A process whose log another one has rotated continues in the new file.
func TestLogFollowsARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authsome.log")
	first, second := mustOpenLog(t, path, 100), mustOpenLog(t, path, 100)
	fmt.Fprint(first, strings.Repeat("a", 99)+"\n")
	fmt.Fprint(second, "second\n")
	fmt.Fprint(first, "first\n")
	if text, err := os.ReadFile(path); err != nil || string(text) != "second\nfirst\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// If the log cannot be rotated, it stops growing.
func TestLogThatCannotRotateStopsGrowing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authsome.log")
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	l := mustOpenLog(t, path, 1000)
	for range 1000 {
		fmt.Fprintln(l, "a line of a process that writes a lot")
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 2000 || info.Size() < 900 {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

func TestLogToADeviceIsNotRotated(t *testing.T) {
	l := mustOpenLog(t, os.DevNull, 10)
	for range 10 {
		if n, err := fmt.Fprint(l, "more than ten bytes"); n != 19 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
}
