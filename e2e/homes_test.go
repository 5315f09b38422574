package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// goldenHomes has a directory for each landed commit, named after it.
const goldenHomes = "../cmd/authsome/testdata/homes"

// TestOlderBinaryOpensNewerHome opens a home of the current binary with the binary
// of the last landed commit. A user who goes back to it must find a home that
// works, or read that a newer authsome wrote it.
func TestOlderBinaryOpensNewerHome(t *testing.T) {
	dir := t.TempDir()
	write := exec.Command(need(t, "go"), "run", "./cmd/authsome/testdata/homes/write", binary, dir)
	write.Dir = ".."
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("write a home: %v\n%s", err, out)
	}
	commit := lastLanded(t)
	older := buildCommit(t, commit)
	for _, args := range [][]string{
		{"list", "--connected", "--json"},
		{"get", "openai", "--field", "api_key", "--show-secret"},
		{"get", "golden", "--field", "refresh_token", "--show-secret"},
		{"--profile", "work", "get", "openai", "--field", "api_key", "--show-secret"},
		{"vault", "check"},
	} {
		cmd := exec.Command(older, args...)
		cmd.Env = []string{"AUTHSOME_HOME=" + filepath.Join(dir, "home"), "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		var failed *exec.ExitError
		switch {
		case err == nil && args[0] == "list":
			checkList(t, out)
		case err == nil && args[len(args)-1] == "--show-secret":
			if !strings.Contains(string(out), "golden") {
				t.Errorf("%s: authsome %v printed %q", commit, args, out)
			}
		case err == nil:
		case !errors.As(err, &failed) || failed.ExitCode() != 7 || !refusesNewer(stderr.String()+string(out)):
			t.Errorf("%s: authsome %v: %v\n%s%s", commit, args, err, out, stderr.String())
		}
	}
}

// checkList checks that a list has the connections of the default profile.
func checkList(t *testing.T, answer []byte) {
	t.Helper()
	var list struct {
		Bundled, Custom []struct{ Connections []struct{ Status string } }
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatal(err)
	}
	connected := 0
	for _, p := range append(list.Bundled, list.Custom...) {
		for _, c := range p.Connections {
			if c.Status == "connected" {
				connected++
			}
		}
	}
	if connected != 4 {
		t.Errorf("%d connections, want 4: %s", connected, answer)
	}
}

var (
	errorLine = regexp.MustCompile(`(?m)^authsome: error: .*$|"message": .*$`) // as text, or with --json
	newer     = regexp.MustCompile(`newer authsome`)
	crash     = regexp.MustCompile(`goroutine |panic|damage`)
)

// refusesNewer reports whether an output has exactly one error, which says that a
// newer authsome wrote the home.
func refusesNewer(output string) bool {
	lines := errorLine.FindAllString(output, -1)
	return len(lines) == 1 && newer.MatchString(lines[0]) && !crash.MatchString(output)
}

func TestRefusesNewer(t *testing.T) {
	for output, want := range map[string]bool{
		"authsome: error: home/version: format 3, this authsome knows 2: made by a newer authsome\nauthsome: hint: install it\n": true,
		`{"error": "StoreUnavailable", "message": "the vault was written by a newer authsome"}`:                                  true,
		"authsome: error: vault damaged: record head: not of this generation\n":                                                  false,
		"authsome: error: one newer authsome\nauthsome: error: another\n":                                                        false,
		"panic: a newer authsome\n": false,
		"":                          false,
	} {
		if got := refusesNewer(output); got != want {
			t.Errorf("%q: %t, want %t", output, got, want)
		}
	}
}

// lastLanded is the newest commit that has a golden home.
func lastLanded(t *testing.T) (newest string) {
	t.Helper()
	entries, err := os.ReadDir(goldenHomes)
	if err != nil {
		t.Fatal(err)
	}
	commit := regexp.MustCompile(`^[0-9a-f]{7,40}$`)
	var latest int64
	for _, e := range entries {
		if !e.IsDir() || !commit.MatchString(e.Name()) {
			continue
		}
		out, err := exec.Command(need(t, "git"), "log", "-1", "--format=%ct", e.Name()).CombinedOutput()
		if err != nil {
			t.Fatalf("commit %s is not in this clone; fetch the full history (git fetch --unshallow): %s", e.Name(), out)
		}
		committed, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if committed >= latest {
			newest, latest = e.Name(), committed
		}
	}
	if newest == "" {
		t.Fatalf("%s has no home of a commit", goldenHomes)
	}
	return newest
}

// buildCommit builds the binary of a commit.
func buildCommit(t *testing.T, commit string) string {
	t.Helper()
	dir := t.TempDir()
	archive, source, older := filepath.Join(dir, "source.tar"), filepath.Join(dir, "source"), filepath.Join(dir, "authsome")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		argv []string
	}{
		{"..", []string{"git", "archive", "--output", archive, commit}},
		{source, []string{"tar", "xf", archive}},
		{source, []string{"go", "build", "-o", older, "./cmd/authsome"}},
	} {
		cmd := exec.Command(need(t, c.argv[0]), c.argv[1:]...)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c.argv, err, out)
		}
	}
	return older
}
