package audit_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/internal/audit"
)

var key = []byte("a key for the test, 32 bytes long")

// childVariable makes the test binary run one of the children instead of the tests,
// on the log that the first argument names.
const childVariable = "AUTHSOME_TEST_AUDIT_CHILD"

var children = map[string]func(path string) error{
	"append":  func(path string) error { return appendMany(path, 0, 0) },
	"rotate":  func(path string) error { return appendMany(path, 100_000, 1000) },
	"retain":  func(path string) error { return appendMany(path, 50_000, 3) },
	"limited": recoverFromFullDisk,
}

func TestMain(m *testing.M) {
	child, ok := children[os.Getenv(childVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func startChild(tb testing.TB, name, path string) *exec.Cmd {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(exe, path)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	return cmd
}

type line struct {
	Time       time.Time `json:"time"`
	Run        string    `json:"run"`
	Seq        int64     `json:"seq"`
	Prev       string    `json:"prev"`
	Event      string    `json:"event"`
	Profile    string    `json:"profile"`
	Provider   string    `json:"provider"`
	Connection string    `json:"connection"`
	Outcome    string    `json:"outcome"`
	Actor      string    `json:"actor"`
	Host       string    `json:"host"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Status     int       `json:"status"`
	Duration   float64   `json:"duration"`
	Count      int64     `json:"count"`
	Command    string    `json:"command"`
	Agent      string    `json:"agent"`
	PID        int       `json:"pid"`
	Archived   string    `json:"archived"`
	Deleted    string    `json:"deleted"`
	MAC        string    `json:"mac"`
}

// verify checks every chain of the log and returns the lines of each run, and the
// texts that are not lines. It does not share code with [audit.Verify].
func verify(tb testing.TB, data, key []byte) (runs map[string][]line, torn []string) {
	tb.Helper()
	runs = make(map[string][]line)
	last := make(map[string]string)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		tb.Errorf("the log ends inside a line: %q", data[max(0, len(data)-80):])
	}
	for raw := range bytes.SplitSeq(data, []byte("\n")) {
		if len(raw) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(raw, &l, json.RejectUnknownMembers(true)); err != nil {
			torn = append(torn, string(raw))
			continue
		}
		if want := int64(len(runs[l.Run]) + 1); l.Seq != want || l.Prev != last[l.Run] {
			tb.Errorf("run %s: seq %d, prev %q; want %d, %q", l.Run, l.Seq, l.Prev, want, last[l.Run])
		}
		if key != nil {
			signed, _, _ := bytes.Cut(raw, []byte(`,"mac"`))
			mac := hmac.New(sha256.New, key)
			mac.Write(signed)
			if want := hex.EncodeToString(mac.Sum(nil)); l.MAC != want {
				tb.Errorf("run %s, line %d: mac %q, want %q", l.Run, l.Seq, l.MAC, want)
			}
		} else if l.MAC != "" {
			tb.Errorf("without a key, a line has the mac %q", l.MAC)
		}
		sum := sha256.Sum256(raw)
		last[l.Run] = hex.EncodeToString(sum[:])
		runs[l.Run] = append(runs[l.Run], l)
	}
	return runs, torn
}

func mustOpen(tb testing.TB, path string, o audit.Options) *audit.Log {
	tb.Helper()
	if o.OnError == nil {
		o.OnError = func(err error) { tb.Errorf("OnError: %v", err) }
	}
	l, err := audit.Open(path, o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func mustRead(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestLineFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	at := time.Date(2026, 7, 1, 12, 0, 0, 123456789, time.FixedZone("", 7200))
	l := mustOpen(t, path, audit.Options{Run: "r1", Actor: "run", Now: func() time.Time { return at }})
	l.Record(audit.Event{Event: audit.Login, Profile: "default", Provider: "github", Connection: "work", Outcome: "ok"})
	l.Record(audit.Event{Event: audit.Injection, Provider: "github", Host: "api.github.com", Method: "GET", Path: "/user?token=abc#x", Status: 200, Duration: 1500 * time.Microsecond})
	l.Record(audit.Event{Event: audit.RunStart, Outcome: "ok", Command: "claude", Agent: "claude", PID: 4711})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Run() != "r1" {
		t.Errorf("run %q", l.Run())
	}
	data := mustRead(t, path)
	first, _, _ := strings.Cut(string(data), "\n")
	want := `{"time":"2026-07-01T10:00:00.123456Z","run":"r1","seq":1,"prev":"","event":"login","profile":"default","provider":"github","connection":"work","outcome":"ok","actor":"run"}`
	if first != want {
		t.Errorf("line\n%s\nwant\n%s", first, want)
	}
	runs, torn := verify(t, data, nil)
	got := runs["r1"]
	if len(got) != 4 || len(torn) != 0 {
		t.Fatalf("%d lines, torn %q:\n%s", len(got), torn, data)
	}
	for i := range got {
		got[i].Prev = ""
	}
	at = at.UTC().Truncate(time.Microsecond)
	if diff := cmp.Diff([]line{
		{Time: at, Run: "r1", Seq: 2, Event: "injection", Provider: "github", Actor: "run", Host: "api.github.com", Method: "GET", Path: "/user", Status: 200, Duration: 0.0015},
		{Time: at, Run: "r1", Seq: 3, Event: "run_start", Outcome: "ok", Actor: "run", Command: "claude", Agent: "claude", PID: 4711},
		{Time: at, Run: "r1", Seq: 4, Event: "end", Actor: "run"},
	}, got[1:]); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestEachRunHasItsOwnChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for range 2 {
		l := mustOpen(t, path, audit.Options{Key: key})
		for range 5 {
			l.Record(audit.Event{Event: audit.Refresh, Provider: "x", Outcome: "ok"})
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	runs, torn := verify(t, mustRead(t, path), key)
	if len(runs) != 2 || len(torn) != 0 {
		t.Errorf("%d runs, want 2 with different names; torn %q", len(runs), torn)
	}
	for name, lines := range runs {
		if len(lines) != 6 || lines[5].Event != "end" {
			t.Errorf("run %s: %+v", name, lines)
		}
	}
}

func FuzzTextCannotEndALine(f *testing.F) {
	for _, s := range []string{"plain", "a\nb", "\r\n{\"seq\":1}", "\x00\x1b[2J\x7f", "\u009b2J", "\u202eabc", `"\`, "\xff\xfe", "é😀", "\U000e0001", strings.Repeat("é", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := filepath.Join(t.TempDir(), "audit.log")
		l := mustOpen(t, path, audit.Options{Run: "r"})
		l.Record(audit.Event{Event: audit.Refusal, Provider: s, Method: s, Path: s})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		data := mustRead(t, path)
		for _, r := range string(data) {
			if r != '\n' && (r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e) {
				t.Errorf("the log contains %U", r)
			}
		}
		runs, torn := verify(t, data, nil)
		if len(runs["r"]) != 2 || len(torn) != 0 {
			t.Fatalf("forged or torn lines: %q", data)
		}
		want := strings.ToValidUTF8(s, "\ufffd")
		if utf8.ValidString(s) && len(s) <= 1024 && runs["r"][0].Provider != want {
			t.Errorf("provider %q, want %q", runs["r"][0].Provider, want)
		}
		if len(runs["r"][0].Provider) > 1024+len("…") {
			t.Errorf("text of %d bytes", len(runs["r"][0].Provider))
		}
		if strings.ContainsAny(runs["r"][0].Path, "?#") {
			t.Errorf("path %q", runs["r"][0].Path)
		}
	})
}

const manyEvents = 2000

func appendMany(path string, maxSize int64, keep int) error {
	l, err := audit.Open(path, audit.Options{Key: key, MaxSize: maxSize, Keep: keep})
	if err != nil {
		return err
	}
	for i := range manyEvents {
		l.Record(audit.Event{Event: audit.Injection, Provider: strings.Repeat("p", i%50), Path: "/v1"})
		if i%100 == 0 {
			if err := l.Flush(context.Background()); err != nil {
				return err
			}
		}
	}
	return l.Close()
}

func TestProcessesAppendConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	const processes = 4
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := startChild(t, "append", path).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	runs, torn := verify(t, mustRead(t, path), key)
	if len(runs) != processes || len(torn) != 0 {
		t.Errorf("%d runs, torn lines %q", len(runs), torn)
	}
	for name, lines := range runs {
		if len(lines) != manyEvents+1 {
			t.Errorf("run %s has %d lines, want %d", name, len(lines), manyEvents+1)
		}
	}
}

func TestConcurrentRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Run: "r", Key: key})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				l.Record(audit.Event{Event: audit.Injection})
			}
			if err := l.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	runs, _ := verify(t, mustRead(t, path), key)
	if got := len(runs["r"]); got != 4000 {
		t.Errorf("%d lines are in the file after Flush, want 4000", got)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Errorf("Flush after Close: %v", err)
	}
}

func TestEventsAreWrittenWithoutFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.log")
		l := mustOpen(t, path, audit.Options{})
		l.Record(audit.Event{Event: audit.RunStart})
		time.Sleep(time.Second)
		synctest.Wait()
		if !strings.Contains(string(mustRead(t, path)), audit.RunStart) {
			t.Error("the event is not in the file after a second")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOpenContinuesAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(`{"time":"2026-07-01T1`), 0o644); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, path, audit.Options{Run: "r"})
	l.Record(audit.Event{Event: audit.Login})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	runs, torn := verify(t, mustRead(t, path), nil)
	if len(runs["r"]) != 2 || len(torn) != 1 {
		t.Errorf("lines %+v, torn %q", runs["r"], torn)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestRecordAfterCloseIsReported(t *testing.T) {
	var errs []error
	l := mustOpen(t, filepath.Join(t.TempDir(), "audit.log"), audit.Options{OnError: func(err error) { errs = append(errs, err) }})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Record(audit.Event{Event: audit.Login})
	if len(errs) != 1 || !errors.Is(errs[0], audit.ErrClosed) {
		t.Errorf("OnError got %v", errs)
	}
}

func TestOpenErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "no", "audit.log")} {
		if _, err := audit.Open(path, audit.Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	l := mustOpen(b, filepath.Join(b.TempDir(), "audit.log"), audit.Options{Key: key, OnError: func(error) {}})
	defer l.Close()
	e := audit.Event{Event: audit.Injection, Profile: "default", Provider: "github", Connection: "default", Outcome: "ok", Host: "api.github.com", Method: "GET", Path: "/user/repos", Status: 200, Duration: time.Millisecond}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Record(e)
		if i%4096 == 0 {
			b.StopTimer()
			l.Flush(context.Background())
			b.StartTimer()
		}
	}
}
