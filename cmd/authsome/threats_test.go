package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// threat is one row of the table: an attack on the built proxy, what must come of it, and
// the mutation of the code that makes the row fail.
type threat struct {
	number   int
	name     string
	attack   func(*lab)
	mutation []edit
}

// edit replaces a text that occurs once in a file.
type edit struct{ file, old, new string }

// threats are the known ways to get a credential, or a secret of the proxy, that a
// credential proxy has to withstand. docs/security.md has the promises.
func threats() []threat {
	return slices.Concat(authorityThreats, framingThreats, credentialThreats, routeThreats, clientThreats)
}

const connectionBearer = "Bearer " + threatKey

// Each threat is tried on a running proxy. The rows assert what the service received and
// what the client was told.
func TestThreats(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, row := range threats() {
		t.Run(fmt.Sprintf("%02d %s", row.number, row.name), func(t *testing.T) { row.attack(l.attack(t)) })
	}
}

// Every number has a row, and each mutation is of the present code. If
// AUTHSOME_THREAT_MUTATIONS is a number, so many rows are also tried with their mutation,
// those that come first after a random one, and must fail.
func TestThreatMutations(t *testing.T) {
	root := repository(t)
	rows := threats()
	seen := make(map[int]bool)
	for _, row := range rows {
		seen[row.number] = true
		if len(row.mutation) == 0 {
			t.Errorf("row %d names no mutation", row.number)
		}
		for _, e := range row.mutation {
			text, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Error(err)
			} else if n := strings.Count(string(text), e.old); n != 1 {
				t.Errorf("row %d: %s has %q %d times, want once", row.number, e.file, e.old, n)
			}
		}
	}
	for n := 1; n <= 36; n++ {
		if !seen[n] {
			t.Errorf("threat %d has no row", n)
		}
	}
	count, _ := strconv.Atoi(os.Getenv("AUTHSOME_THREAT_MUTATIONS"))
	if count == 0 || t.Failed() {
		return
	}
	copied := copyRepository(t, root)
	start := os.Getpid() % len(rows)
	for i := range min(count, len(rows)) {
		tryMutation(t, copied, rows[(start+i)%len(rows)])
	}
}

// tryMutation checks that a row fails in the mutated code.
func tryMutation(t *testing.T, dir string, row threat) {
	t.Helper()
	for _, e := range row.mutation {
		path := filepath.Join(dir, e.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer writeText(t, path, string(text))
		mutated, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeText(t, path, strings.Replace(string(mutated), e.old, e.new, 1))
	}
	cmd := exec.Command("go", "test", "-count=1", "-vet=off", "-run", fmt.Sprintf("^TestThreats$/^%02d_", row.number), "./cmd/authsome")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("row %d passes although %s is mutated", row.number, row.mutation[0].file)
	case !strings.Contains(string(out), "--- FAIL: TestThreats"):
		t.Errorf("row %d: the mutated code does not build: %s", row.number, out)
	default:
		t.Logf("row %d %s: fails with its mutation", row.number, row.name)
	}
}

// copyRepository copies the files under version control.
func copyRepository(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `git ls-files -z --cached --others --exclude-standard -- ':!e2e' ':!bench' | tar --null --files-from=- --create | tar --extract --directory "$0"`, dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the repository: %v: %s", err, out)
	}
	return dir
}
