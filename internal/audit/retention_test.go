package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authsome/authsome/internal/audit"
)

// Only the lines that a Python authsome left before the first chain may be without a
// seal. They are counted apart, also if they are in an archive.
func TestUnsealedBeginningIsCountedApart(t *testing.T) {
	path, lines := twoRuns(t)
	beginning := strings.Repeat(pythonLine, 3)
	if err := os.WriteFile(path, []byte(beginning+strings.Join(lines, "")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, path, key, otherKey); r.Unsealed != 3 || len(r.Problems) != 0 || r.Chains != 2 {
		t.Errorf("%+v", r)
	}
	archive := filepath.Join(filepath.Dir(path), "audit-20260101T000000.000000Z.log")
	if err := os.WriteFile(archive, []byte(beginning+strings.Join(lines[:5], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(pythonLine+strings.Join(lines[5:], "")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := mustVerify(t, path, key, otherKey)
	if r.Unsealed != 3 || len(r.Problems) != 1 || r.Problems[0].Where != (audit.Place{File: path, Number: 1}) {
		t.Errorf("a line without a seal after the first chain: %+v", r)
	}
}

// retained writes a log that has deleted its oldest archives. Its runs are "busy", and
// "idle", which writes its second line after all of these rotations.
func retained(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.log")
	o := audit.Options{Key: key, MaxSize: 2000, Keep: 3}
	o.Run = "idle"
	idle := mustOpen(t, path, o)
	o.Run = "busy"
	busy := mustOpen(t, path, o)
	flush := func(l *audit.Log, provider string) {
		l.Record(audit.Event{Event: audit.Injection, Provider: provider})
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flush(idle, "first")
	for i := range 100 {
		flush(busy, fmt.Sprint(i))
	}
	flush(idle, "last")
	for _, l := range []*audit.Log{idle, busy} {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func archives(t *testing.T, path string) []string {
	t.Helper()
	files, err := audit.LogFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	return files[:len(files)-1]
}

// The running process deletes the oldest archives, and Verify knows that it did.
func TestLogDeletesItsOldestArchives(t *testing.T) {
	path := retained(t)
	if n := len(archives(t, path)); n != 3 {
		t.Errorf("%d archives, want 3", n)
	}
	r := mustVerify(t, path, key)
	if len(r.Problems) != 0 || len(r.Cut) != 2 || len(r.Open) != 0 {
		t.Errorf("%+v", r)
	}
}

// The size of archives counts too: those that another program made may be larger. The
// newest archive is always kept.
func TestLargeArchivesAreDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for _, at := range []string{"20260101T000000.000000Z", "20260102T000000.000000Z"} {
		if err := os.WriteFile(strings.TrimSuffix(path, ".log")+"-"+at+".log", make([]byte, 5000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := mustOpen(t, path, audit.Options{Key: key, MaxSize: 2000, Keep: 3})
	for range 10 {
		l.Record(audit.Event{Event: audit.Injection, Provider: strings.Repeat("p", 1000)})
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, file := range archives(t, path) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 3*2000+2000 || len(archives(t, path)) == 0 {
		t.Errorf("%d archives with %d bytes", len(archives(t, path)), size)
	}
}

// What retention may have done excuses nothing else: each of these is reported.
func TestRemovalIsNotTakenForRetention(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, path string){
		"the oldest archive that is left": func(t *testing.T, path string) {
			if err := os.Remove(archives(t, path)[0]); err != nil {
				t.Fatal(err)
			}
		},
		"the first line of that archive": func(t *testing.T, path string) {
			edit(t, archives(t, path)[0], func(lines []string) []string { return lines[1:] })
		},
		"a line in its middle": func(t *testing.T, path string) {
			edit(t, archives(t, path)[0], func(lines []string) []string { return slices.Delete(lines, 3, 4) })
		},
		"the seal of the first line": func(t *testing.T, path string) {
			edit(t, archives(t, path)[0], func(lines []string) []string {
				lines[0] = lines[0][:strings.Index(lines[0], `,"mac"`)] + "}\n"
				return lines
			})
		},
		"the reports of retention": func(t *testing.T, path string) {
			for _, file := range append(archives(t, path), path) {
				edit(t, file, func(lines []string) []string {
					return slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, `"event":"retention"`) })
				})
			}
		},
		"an archive, with a forged report": func(t *testing.T, path string) {
			if err := os.Remove(archives(t, path)[0]); err != nil {
				t.Fatal(err)
			}
			edit(t, path, func(lines []string) []string {
				return append(lines, `{"time":"2026-01-01T00:00:00.000000Z","run":"x","seq":1,"prev":"","event":"retention","deleted":"29990101T000000.000000Z","mac":"00"}`+"\n")
			})
		},
		"nothing, but an unsealed beginning is added": func(t *testing.T, path string) {
			edit(t, archives(t, path)[0], func(lines []string) []string { return slices.Insert(lines, 0, pythonLine) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := retained(t)
			remove(t, path)
			if r := mustVerify(t, path, key); len(r.Problems) == 0 {
				t.Errorf("no problem found: %+v", r)
			}
		})
	}
}

func edit(t *testing.T, file string, change func([]string) []string) {
	t.Helper()
	lines := change(slices.Collect(strings.Lines(string(mustRead(t, file)))))
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Four processes write, rotate and delete at the same time: the log stays within its
// size, and what is left is verified.
func TestProcessesDeleteArchivesTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	var children sync.WaitGroup
	for range 4 {
		child := startChild(t, "retain", path)
		children.Go(func() {
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	children.Wait()
	if n := len(archives(t, path)); n > 5 {
		t.Errorf("%d archives", n)
	}
	if r := mustVerify(t, path, key); len(r.Problems) != 0 || len(r.Open) != 0 || r.Lines == 0 {
		t.Errorf("%d lines, cut %d, open %v, problems %v", r.Lines, len(r.Cut), r.Open, r.Problems)
	}
}

// Archives are named in the order in which they were made, also if the clock is set
// back.
func TestArchivesStayInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	start, hours := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), new(atomic.Int64)
	back := func() time.Time { return start.Add(time.Duration(hours.Add(-1)) * time.Hour) }
	l := mustOpen(t, path, audit.Options{Key: key, MaxSize: 500, Now: back})
	for i := range 10 {
		l.Record(audit.Event{Event: audit.Injection, Provider: fmt.Sprint(i, strings.Repeat("p", 300))})
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, path, key); len(r.Problems) != 0 || len(archives(t, path)) < 5 {
		t.Errorf("%d archives, %+v", len(archives(t, path)), r)
	}
}
