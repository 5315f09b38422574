package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/internal/audit"
)

var otherKey = []byte("the key of another profile's vault")

// twoRuns writes two chains with different keys, and returns the lines of the log.
func twoRuns(t *testing.T) (path string, lines []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.log")
	for run, key := range map[string][]byte{"a": key, "b": otherKey} {
		l := mustOpen(t, path, audit.Options{Run: run, Key: key})
		for i := range 4 {
			l.Record(audit.Event{Event: audit.Injection, Provider: "github", Path: fmt.Sprint("/", i), Outcome: "ok"})
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path, strings.SplitAfter(strings.TrimSuffix(string(mustRead(t, path)), "\n"), "\n")
}

func mustVerify(t *testing.T, path string, keys ...[]byte) audit.Report {
	t.Helper()
	r, err := audit.Verify(path, keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tamperings are changes to the lines of two runs with five lines each.
var tamperings = []struct {
	name   string
	change func(lines []string) []string
	line   int    // that is reported
	reason string // "" if Verify finds no problem
	open   int
}{
	{"outcome", replace(2, `"outcome":"ok"`, `"outcome":"no"`), 3, "modified", 0},
	{"time", replace(0, `"time":"2`, `"time":"1`), 1, "modified", 0},
	{"provider in the last line but one", replace(3, "github", "gitlab"), 4, "modified", 0},
	{"MAC", func(lines []string) []string {
		lines[1] = lines[1][:len(lines[1])-67] + strings.Repeat("0", 64) + "\"}\n"
		return lines
	}, 2, "modified", 0},
	{"member after the MAC", replace(1, `"}`, `","status":500}`), 2, "modified", 0},
	{"no MAC", func(lines []string) []string {
		lines[1] = lines[1][:strings.Index(lines[1], `,"mac"`)] + "}\n"
		return lines
	}, 2, "no valid MAC", 0},
	{"first line of a run removed", remove(0, 1), 1, "1 line before it is missing", 0},
	{"two lines in the middle removed", remove(2, 4), 3, "2 lines before it are missing", 0},
	{"two lines swapped", func(lines []string) []string {
		lines[1], lines[2] = lines[2], lines[1]
		return lines
	}, 2, "missing", 0},
	{"line duplicated", func(lines []string) []string { return slices.Insert(lines, 2, lines[1]) }, 3, "duplicated", 0},
	{"line added after the end", func(lines []string) []string { return append(lines, "\n"+lines[1]) }, 11, "after the end", 0},
	{"last lines removed: the chain is open", remove(8, 10), 0, "", 1},
	{"whole run removed: not detected", remove(0, 5), 0, "", 0},
	{"unsealed line inserted between runs' lines", insert(6, pythonLine), 7, "no seal", 0},
	{"unsealed line inserted at the end", insert(10, "\n"+pythonLine), 11, "no seal", 0},
	{"unsealed line of a new run", insert(5, unsealedRun), 6, "no valid MAC", 1},
	{"other text inserted", insert(2, "nothing happened\n"), 3, "no seal", 0},
	{"text as long as no line is", insert(2, `{"time":"`+strings.Repeat("a", 200<<10)+"\n"), 3, "no seal", 0},
	{"line with a repeated member", insert(2, `{"time":"2026-01-01T00:00:00Z","run":"x","run":"x","seq":1}`+"\n"), 3, "no seal", 0},
	{"line of a run whose key no profile has", replace(0, `"run":"`, `"run":"x`), 1, "modified", 1},
	{"zeros after a loss of power", insert(2, "\x00\x00\x00\n"), 0, "", 0},
	{"torn line that was written again", func(lines []string) []string { return slices.Insert(lines, 2, lines[2][:20]+"\n") }, 0, "", 0},
}

func replace(line int, from, to string) func([]string) []string {
	return func(lines []string) []string {
		lines[line] = strings.Replace(lines[line], from, to, 1)
		return lines
	}
}

func insert(at int, text string) func([]string) []string {
	return func(lines []string) []string { return slices.Insert(lines, at, text) }
}

// pythonLine is a line as a Python authsome writes it.
const pythonLine = `{"timestamp":"2026-01-01T00:00:00Z","event":"login","provider":"github","status":"success"}` + "\n"

// unsealedRun is a chain of one line without a MAC.
const unsealedRun = `{"time":"2026-01-01T00:00:00.000000Z","run":"x","seq":1,"prev":"","event":"login","provider":"github"}` + "\n"

func remove(from, to int) func([]string) []string {
	return func(lines []string) []string { return slices.Delete(lines, from, to) }
}

func TestVerify(t *testing.T) {
	path, lines := twoRuns(t)
	if r := mustVerify(t, path, otherKey, key); r.Lines != 10 || r.Chains != 2 || len(r.Open) != 0 || len(r.Problems) != 0 {
		t.Fatalf("an unmodified log: %+v", r)
	}
	for _, tt := range tamperings {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Join(tt.change(slices.Clone(lines)), "")
			if changed == strings.Join(lines, "") {
				t.Fatal("the log was not changed")
			}
			file := filepath.Join(t.TempDir(), "audit.log")
			if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			r := mustVerify(t, file, key, otherKey)
			if len(r.Open) != tt.open {
				t.Errorf("open: %+v", r.Open)
			}
			if tt.reason == "" {
				if len(r.Problems) != 0 {
					t.Errorf("problems: %v", r.Problems)
				}
				return
			}
			if len(r.Problems) == 0 {
				t.Fatal("no problem found")
			}
			if p := r.Problems[0]; p.Where.Number != tt.line || p.Where.File != file || !strings.Contains(p.Reason, tt.reason) {
				t.Errorf("found %v, want line %d: %s", p, tt.line, tt.reason)
			}
			if tt.name != "two lines swapped" && !strings.HasPrefix(tt.name, "line of a run") && len(r.Problems) != 1 {
				t.Errorf("want one problem, got %v", r.Problems)
			}
		})
	}
	if r := mustVerify(t, path, key); len(r.Problems) != 5 || !strings.Contains(r.Problems[0].Reason, "no profile here") {
		t.Errorf("without the other profile's key: %v", r.Problems)
	}
}

// Four processes write while the log is rotated: no line is lost, and each chain
// continues in the next file.
func TestRotationKeepsChains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	const processes = 4
	var children sync.WaitGroup
	for range processes {
		child := startChild(t, "rotate", path)
		children.Go(func() {
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	children.Wait()
	files, err := audit.LogFiles(path)
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	r := mustVerify(t, path, key)
	if r.Lines != processes*(manyEvents+1) || r.Chains != processes || len(r.Open) != 0 || len(r.Problems) != 0 {
		t.Errorf("%d lines, %d chains, open %v, problems %v", r.Lines, r.Chains, r.Open, r.Problems)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	last, err := audit.Last(path, 3000, time.Time{}, func(l audit.Line) bool { return l.Event == audit.Injection })
	if err != nil || len(last) != 3000 {
		t.Fatalf("%d lines, %v", len(last), err)
	}
	all, err := audit.Last(path, -1, time.Time{}, func(l audit.Line) bool { return l.Event == audit.Injection })
	if err != nil || len(all) != processes*manyEvents {
		t.Fatalf("%d lines, %v", len(all), err)
	}
	if !slices.EqualFunc(last, all[len(all)-3000:], func(a, b audit.Line) bool { return bytes.Equal(a.Raw, b.Raw) }) {
		t.Error("Last(3000) is not the end of Last(-1)")
	}
	if none, err := audit.Last(path, -1, time.Now().Add(time.Hour), func(l audit.Line) bool { return l.Time.After(time.Now()) }); err != nil || len(none) != 0 {
		t.Errorf("%d lines with a time in the future, %v", len(none), err)
	}
}

// If another program renames the log, a new file is created and the chain continues.
func TestLogRenamedByAnotherProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Key: key})
	l.Record(audit.Event{Event: audit.Login})
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), "audit-20260101T000000.000000Z.log")); err != nil {
		t.Fatal(err)
	}
	l.Record(audit.Event{Event: audit.Logout})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, path, key); r.Lines != 3 || len(r.Problems) != 0 || len(r.Open) != 0 {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), "audit-20260101T000000.000000Z.log")); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, path, key); len(r.Problems) != 1 {
		t.Errorf("without the first file: %+v", r)
	}
}

func TestFollowAcrossRotations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Key: key, MaxSize: 2000, Keep: 1000})
	l.Record(audit.Event{Event: audit.Login, Provider: "before"})
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const events = 200 // about forty files
	started, got := make(chan struct{}), make(chan audit.Line, events+1)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- audit.Follow(ctx, path, func() { close(started) }, func(line audit.Line) error {
			got <- line
			return nil
		})
	}()
	<-started
	for i := range events {
		l.Record(audit.Event{Event: audit.Injection, Provider: fmt.Sprint(i)})
		if err := l.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range events {
		if line := <-got; line.Provider != fmt.Sprint(i) {
			t.Fatalf("event %d: %s", i, line.Raw)
		}
	}
	if line := <-got; line.Event != "end" {
		t.Errorf("the last line: %s", line.Raw)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if files, err := audit.LogFiles(path); err != nil || len(files) < 3 {
		t.Errorf("the log was not rotated: %v, %v", files, err)
	}
}

// No text can be inserted after the first line of a run without being reported.
func FuzzInsertedTextIsReported(f *testing.F) {
	for _, text := range []string{pythonLine, unsealedRun, "x", "{}", `{"time":"`, `{"time":"2026"} `, "\x00", "null", `{"run":"a","seq":2}`, "a\n\nb"} {
		f.Add(1, text)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "audit.log")
	l := mustOpen(f, path, audit.Options{Run: "a", Key: key})
	for range 3 {
		l.Record(audit.Event{Event: audit.Login, Provider: "github"})
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(mustRead(f, path))))
	f.Fuzz(func(t *testing.T, at int, text string) {
		at = 1 + (at%4+4)%4
		file := filepath.Join(t.TempDir(), "audit.log")
		if err := os.WriteFile(file, []byte(strings.Join(slices.Insert(slices.Clone(lines), at, text+"\n"), "")), 0o600); err != nil {
			t.Fatal(err)
		}
		r := mustVerify(t, file, key)
		inserted := 0
		for line := range strings.SplitSeq(text, "\n") {
			if line != "" {
				inserted++
			}
		}
		if r.Lines != len(lines)+inserted {
			t.Errorf("%d lines, want %d", r.Lines, len(lines)+inserted)
		}
		if len(r.Problems) == 0 && len(r.Torn) != inserted {
			t.Errorf("%q passed: %+v", text, r)
		}
	})
}
