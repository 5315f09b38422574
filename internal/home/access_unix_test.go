//go:build unix

package home_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// openDir is a directory that every user can reach.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openAs opens a home as another user, in a copy of this binary which that user
// can reach.
func openAs(t *testing.T, uid uint32, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := openDir(t)
	from, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	copied := filepath.Join(bin, "home.test")
	to, err := os.OpenFile(copied, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied)
	cmd.Dir = "/"
	cmd.Env = []string{openInChild + "=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out)
}

func TestOpenRefusesForeignHome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("changing the user needs root")
	}
	const nobody = 65534
	parent := openDir(t)
	ours, theirs := filepath.Join(parent, "ours"), filepath.Join(parent, "theirs")
	mustOpen(t, ours)
	if got := openAs(t, nobody, ours); !strings.HasPrefix(got, "access=true ") || !strings.Contains(got, "belongs to user 0") {
		t.Errorf("another user's home: %q", got)
	}
	if err := os.Mkdir(theirs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(theirs, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if got, want := openAs(t, nobody, theirs), "opened "+theirs+" default\n"; got != want {
		t.Errorf("control, its own home: %q, want %q", got, want)
	}
	if got := openAs(t, nobody, filepath.Join(ours, "inner")); strings.HasPrefix(got, "opened") {
		t.Errorf("a home inside a closed directory: %q", got)
	}
}
