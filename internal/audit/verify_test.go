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

// twoRuns writes two chains, under two keys, and gives the log's lines.
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

func TestVerify(t *testing.T) {
	path, lines := twoRuns(t)
	if r := mustVerify(t, path, otherKey, key); r.Lines != 10 || r.Chains != 2 || len(r.Open) != 0 || len(r.Problems) != 0 {
		t.Fatalf("a sound log: %+v", r)
	}
	change := func(n int, from, to string) func([]string) []string {
		return func(lines []string) []string {
			changed := strings.Replace(lines[n], from, to, 1)
			if changed == lines[n] {
				t.Fatalf("%q is not in %s", from, lines[n])
			}
			lines[n] = changed
			return lines
		}
	}
	without := func(from, to int) func([]string) []string {
		return func(lines []string) []string { return slices.Delete(lines, from, to) }
	}
	for _, tt := range []struct {
		name   string
		do     func([]string) []string
		number int    // of the line that is reported
		reason string // "" for no problem
		open   int
	}{
		{"an outcome", change(2, `"outcome":"ok"`, `"outcome":"no"`), 3, "changed", 0},
		{"a time", change(0, `"time":"2`, `"time":"1`), 1, "changed", 0},
		{"a provider of the last line but one", change(3, "github", "gitlab"), 4, "changed", 0},
		{"a MAC", func(lines []string) []string {
			lines[1] = lines[1][:len(lines[1])-67] + strings.Repeat("0", 64) + "\"}\n"
			return lines
		}, 2, "changed", 0},
		{"a member behind the MAC", change(1, `"}`, `","status":500}`), 2, "changed", 0},
		{"no MAC", func(lines []string) []string {
			lines[1] = lines[1][:strings.Index(lines[1], `,"mac"`)] + "}\n"
			return lines
		}, 2, "not sealed", 0},
		{"the first line of a run is gone", without(0, 1), 1, "the 1 lines before it are missing", 0},
		{"two in the middle are gone", without(2, 4), 3, "the 2 lines before it are missing", 0},
		{"two have changed places", func(lines []string) []string {
			lines[1], lines[2] = lines[2], lines[1]
			return lines
		}, 2, "missing", 0},
		{"one stands twice", func(lines []string) []string { return slices.Insert(lines, 2, lines[1]) }, 3, "twice", 0},
		{"one is put behind the end", func(lines []string) []string { return append(lines, "\n"+lines[1]) }, 11, "behind the end", 0},
		{"a tail that is gone leaves the chain open", without(8, 10), 0, "", 1},
		{"a whole run that is gone cannot be seen", without(0, 5), 0, "", 0},
		{"a torn line that was written again", func(lines []string) []string { return slices.Insert(lines, 2, lines[2][:20]+"\n") }, 0, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := tt.do(slices.Clone(lines))
			file := filepath.Join(t.TempDir(), "audit.log")
			if err := os.WriteFile(file, []byte(strings.Join(changed, "")), 0o600); err != nil {
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
				t.Fatal("nothing was found")
			}
			if p := r.Problems[0]; p.Where.Number != tt.number || p.Where.File != file || !strings.Contains(p.Reason, tt.reason) {
				t.Errorf("found %v, want line %d: %s", p, tt.number, tt.reason)
			}
			if tt.name != "two have changed places" && len(r.Problems) != 1 {
				t.Errorf("found more than there is: %v", r.Problems)
			}
		})
	}
	if r := mustVerify(t, path, key); len(r.Problems) != 5 || !strings.Contains(r.Problems[0].Reason, "no profile here") {
		t.Errorf("without the other profile's key: %v", r.Problems)
	}
}

// A log is set aside while four processes write: nothing is lost, and each chain
// goes on in the next file.
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
	files, err := audit.Files(path)
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
		t.Error("the last lines are not the last ones")
	}
	if none, err := audit.Last(path, -1, time.Now().Add(time.Hour), func(l audit.Line) bool { return l.Time.After(time.Now()) }); err != nil || len(none) != 0 {
		t.Errorf("%d lines of the future, %v", len(none), err)
	}
}

// A log that somebody else took away is begun again, and its chain goes on.
func TestFileTakenAway(t *testing.T) {
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
		t.Errorf("with the first file gone: %+v", r)
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Key: key, MaxSize: 2000})
	l.Record(audit.Event{Event: audit.Login, Provider: "before"})
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const events = 200 // some forty files
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
		t.Errorf("at the end: %s", line.Raw)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if files, err := audit.Files(path); err != nil || len(files) < 3 {
		t.Errorf("the log was not set aside: %v, %v", files, err)
	}
}
