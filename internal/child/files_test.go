//go:build unix

package child

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func writeFiles(t *testing.T, tmp string) Files {
	t.Helper()
	f, err := WriteFiles(tmp, []byte("bundle"), []byte("authority"), []byte("timeout = 3"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWriteFiles(t *testing.T) {
	tmp := t.TempDir()
	f := writeFiles(t, tmp)
	for path, want := range map[string]string{f.Bundle: "bundle", f.Authority: "authority", f.Wgetrc: "timeout = 3\nca_certificate = " + f.Bundle + "\n"} {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("not removed: %v", left)
	}
	if _, err := WriteFiles(filepath.Join(tmp, "nonexistent"), nil, nil, nil); err == nil {
		t.Error("no error without a temporary directory")
	}
}

// age makes a directory old enough for sweep to remove it.
func age(t *testing.T, dir string) string {
	t.Helper()
	then := time.Now().Add(-2 * sweepAge)
	if err := os.Chtimes(dir, then, then); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSweepRemovesDirectoriesOfKilledRuns(t *testing.T) {
	tmp := t.TempDir()
	mkdir := func(name string) string {
		dir := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Join(dir, "inside"), 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	run := start(t, "CHILD_TEST_ROLE=files", "CHILD_TEST_TMP="+tmp)
	killed := age(t, strings.TrimSpace(run.line()))
	alive := age(t, writeFiles(t, tmp).dir)
	unlocked := age(t, mkdir(filesPrefix+"unlocked"))
	young := mkdir(filesPrefix + "young")
	unrelated := age(t, mkdir("unrelated"))
	elsewhere := mkdir("elsewhere")
	if err := os.Symlink(elsewhere, filepath.Join(tmp, filesPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{killed: true, alive: true, unlocked: false, young: true, unrelated: true, filepath.Join(elsewhere, "inside"): true}
	if os.Geteuid() == 0 {
		foreign := mkdir(filesPrefix + "foreign")
		if err := os.Chown(foreign, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		want[age(t, foreign)] = true
	}
	check := func(when string) {
		t.Helper()
		writeFiles(t, tmp)
		for dir, kept := range want {
			if _, err := os.Stat(dir); (err == nil) != kept {
				t.Errorf("%s: %s: %v, want it kept: %v", when, filepath.Base(dir), err, kept)
			}
		}
	}
	check("while the run is alive")
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run.Wait()
	want[killed] = false
	check("after the run was killed")
}

func TestUserWgetrc(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, content := range map[string]string{".wgetrc": "in HOME", "named": "named by WGETRC"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ wgetrc, home, want string }{
		{"", dir, "in HOME"}, {filepath.Join(dir, "named"), dir, "named by WGETRC"}, {filepath.Join(dir, "missing"), dir, ""}, {"", "", ""},
	} {
		vars := map[string]string{"WGETRC": tt.wgetrc, "HOME": tt.home}
		if got := string(UserWgetrc(func(name string) string { return vars[name] })); got != tt.want {
			t.Errorf("%v: %q", tt, got)
		}
	}
}
