//go:build unix

package home_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/authsome/authsome/internal/home"
)

// publicDir returns a directory that every user can read.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openAs opens a home as another user, with a copy of this binary that the user can
// execute, and returns the output.
func openAs(t *testing.T, uid uint32, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := publicDir(t)
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
	parent := publicDir(t)
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
		t.Errorf("the user's own home: %q, want %q", got, want)
	}
	if got := openAs(t, nobody, filepath.Join(ours, "inner")); strings.HasPrefix(got, "opened") {
		t.Errorf("a home in a directory of another user: %q", got)
	}
}

// The remedy changes the mode of exactly this directory.
func TestRemedy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space")
	write(t, filepath.Join(dir, "version"), "2\n", 0o600)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := home.Open(dir)
	access, ok := errors.AsType[*home.AccessError](err)
	if !ok || !slices.Equal(access.Remedy, []string{"chmod", "700", dir}) {
		t.Fatalf("error %v, %+v", err, access)
	}
	if out, err := exec.Command(access.Remedy[0], access.Remedy[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%q: %v, %s", access.Remedy, err, out)
	}
	if _, err := home.Open(dir); err != nil {
		t.Errorf("after %q: %v", access.Remedy, err)
	}
}

// A directory is closed to others, unless they may have changed something in it.
func TestCloseToOthers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    os.FileMode
		prepare func(dir string) error
		wantErr string
	}{
		{name: "readable", mode: 0o755},
		{name: "entered", mode: 0o711},
		{name: "own group", mode: 0o775, prepare: func(dir string) error { return os.Chown(dir, os.Geteuid(), os.Geteuid()) }},
		{name: "another group", mode: 0o775, prepare: func(dir string) error { return os.Chown(dir, os.Geteuid(), 12345) }, wantErr: "others can write it"},
		{name: "everybody", mode: 0o757, wantErr: "others can write it"},
		{name: "another owner", mode: 0o755, prepare: func(dir string) error { return os.Chown(dir, 12345, 12345) }, wantErr: "it belongs to another user"},
		{name: "files of others", mode: 0o775, prepare: func(dir string) error {
			return errors.Join(os.Chown(dir, os.Geteuid(), os.Geteuid()), os.Chown(filepath.Join(dir, "profiles", "store.db"), 12345, 12345))
		}, wantErr: "store.db belongs to another user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "home")
			write(t, filepath.Join(dir, "profiles", "store.db"), "", 0o644)
			if err := os.Chmod(dir, tt.mode); err != nil {
				t.Fatal(err)
			}
			if tt.prepare != nil {
				if os.Geteuid() != 0 {
					t.Skip("changing the owner needs root")
				}
				if err := tt.prepare(dir); err != nil {
					t.Fatal(err)
				}
			}
			was, err := home.CloseToOthers(dir)
			want := os.FileMode(0o700)
			if tt.wantErr != "" {
				want = tt.mode
			}
			info, statErr := os.Stat(dir)
			if statErr != nil || info.Mode().Perm() != want || was != tt.mode {
				t.Errorf("mode %v, was %v, %v", info.Mode(), was, statErr)
			}
			if (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%v, want %q", err, tt.wantErr)
			}
			link := filepath.Join(filepath.Dir(dir), "link")
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			if _, err := home.CloseToOthers(link); err == nil {
				t.Error("closed what a link leads to")
			}
		})
	}
}
