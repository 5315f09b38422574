package runs

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain lets the test binary act as a run, as a run that is killed, and as a command
// that asks whether it is behind one.
func TestMain(m *testing.M) {
	home := os.Getenv("RUNS_TEST_HOME")
	switch os.Getenv("RUNS_TEST_ROLE") {
	case "run":
		leave, err := Enter(home, "default")
		if err != nil {
			panic(err)
		}
		defer leave()
		cmd := exec.Command(os.Args[1], os.Args[2:]...)
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "RUNS_TEST_ROLE=ask"), os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			panic(err)
		}
		return
	case "killed":
		if _, err := Enter(home, "default"); err != nil {
			panic(err)
		}
		return // without leave, as a process that is killed
	case "ask":
		behind, err := Behind(home)
		fmt.Println(behind, err)
		return
	}
	os.Exit(m.Run())
}

// role runs the test binary in a role and returns its output.
func role(t *testing.T, role, home string, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "RUNS_TEST_ROLE="+role, "RUNS_TEST_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// A run is found from its command and from processes between them, for its home only,
// and is not found after it has ended.
func TestBehind(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, other := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "a link")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"the command", []string{exe}, "true <nil>\n"},
		{"a shell's child", []string{"sh", "-c", `"$0"; true`, exe}, "true <nil>\n"},
		{"another session", []string{"setsid", "--wait", "sh", "-c", `"$0"; true`, exe}, "true <nil>\n"},
		{"without variables", []string{"env", "-i", "RUNS_TEST_ROLE=ask", "RUNS_TEST_HOME=" + home, exe}, "true <nil>\n"},
		{"by a link", []string{"env", "RUNS_TEST_HOME=" + link, exe}, "true <nil>\n"},
		{"another home", []string{"env", "RUNS_TEST_HOME=" + other, exe}, "false <nil>\n"},
		{"a home that does not exist", []string{"env", "RUNS_TEST_HOME=" + filepath.Join(other, "none"), exe}, "false <nil>\n"},
	} {
		if got := role(t, "run", home, tt.args...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := role(t, "ask", home); got != "false <nil>\n" {
		t.Errorf("after the run: %q", got)
	}
	if left, err := os.ReadDir(dir(home)); len(left) > 0 || err != nil {
		t.Errorf("after the run: %v, %v", left, err)
	}
}

// A process with the pid of a run that was killed is not taken for it.
func TestBehindComparesTheStartTime(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(dir(home), 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := readProcess("self")
	if err != nil {
		t.Fatal(err)
	}
	entry := func(start uint64) string {
		return filepath.Join(dir(home), process{pid: self.pid, start: start}.entry())
	}
	if err := os.WriteFile(entry(self.start-1), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := role(t, "ask", home); got != "false <nil>\n" {
		t.Errorf("with another start time: %q", got)
	}
	if err := os.Rename(entry(self.start-1), entry(self.start)); err != nil {
		t.Fatal(err)
	}
	if got := role(t, "ask", home); got != "true <nil>\n" {
		t.Errorf("with the start time of the parent: %q", got)
	}
}

// A list that cannot be read is an error, not an empty list.
func TestUnreadableListIsAnError(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(dir(home), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if behind, err := Behind(home); err == nil || behind {
		t.Errorf("%v, %v", behind, err)
	}
	if _, err := Enter(home, "default"); err == nil {
		t.Error("Enter succeeds without a list")
	}
}

// The next run removes the entries of runs that were killed, and no others.
func TestEntriesOfKilledRunsAreRemoved(t *testing.T) {
	home := t.TempDir()
	leave, err := Enter(home, "default")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{{dir(home), 0o700}, {entryOf(t, home), 0o600}} {
		if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != d.mode {
			t.Errorf("%s: %v, %v", d.path, info.Mode(), err)
		}
	}
	role(t, "killed", home)
	if running, removed, err := Clean(home); running != 1 || removed != 1 || err != nil {
		t.Errorf("%d running, %d removed, %v", running, removed, err)
	}
	role(t, "killed", home)
	role(t, "killed", home) // removes the one before
	if all, err := os.ReadDir(dir(home)); len(all) != 2 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	leave()
	if running, removed, err := Clean(home); running != 0 || removed != 1 || err != nil {
		t.Errorf("%d running, %d removed, %v", running, removed, err)
	}
	if running, removed, err := Clean(filepath.Join(home, "none")); running != 0 || removed != 0 || err != nil {
		t.Errorf("without a list: %d running, %d removed, %v", running, removed, err)
	}
}

func entryOf(t *testing.T, home string) string {
	t.Helper()
	self, err := readProcess("self")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir(home), self.entry())
}

// A run that starts while others look for left-over entries keeps its own.
func TestEnterWhileOthersClean(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(dir(home), 0o700); err != nil {
		t.Fatal(err)
	}
	stop, cleaned := make(chan struct{}), make(chan error)
	for range 2 {
		go func() {
			for {
				select {
				case <-stop:
					cleaned <- nil
					return
				default:
				}
				if _, _, err := Clean(home); err != nil {
					cleaned <- err
					return
				}
			}
		}()
	}
	entry := entryOf(t, home)
	for begin, n := time.Now(), 0; n < 200 && time.Since(begin) < 10*time.Second; n++ {
		leave, err := Enter(home, "default")
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := os.Stat(entry); err != nil {
				t.Fatalf("after %d: %v", n, err)
			}
		}
		leave()
	}
	close(stop)
	for range 2 {
		if err := <-cleaned; err != nil {
			t.Error(err)
		}
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 41 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 123456789 1 2 3"
	for text, want := range map[string]process{
		"42 (authsome)" + rest: {42, 41, 123456789}, "42 (a b)" + rest: {42, 41, 123456789}, "42 (a) S 1 (b)" + rest: {42, 41, 123456789},
		"42 ())" + rest: {42, 41, 123456789}, "42 ()" + rest: {42, 41, 123456789}, "42 (\n)" + rest: {42, 41, 123456789},
		"": {}, "42": {}, "42 (a)": {}, "42 (a) S 41": {}, "x (a)" + rest: {}, "42 (a) S x 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 1 1": {},
	} {
		got, err := parseStat(text)
		if got != want || (err == nil) != (want.pid != 0) {
			if want.pid != 0 || err == nil {
				t.Errorf("%q: %+v, %v", text, got, err)
			}
		}
	}
}

// Whatever the program's name, the pid, the parent and the start time are read from
// their own fields.
func FuzzParseStat(f *testing.F) {
	f.Add("authsome")
	f.Add(") R 1 (")
	f.Add("a b\n")
	f.Fuzz(func(t *testing.T, name string) {
		p, err := parseStat("42 (" + name + ") S 41 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 77 1 2 3\n")
		if want := (process{42, 41, 77}); p != want || err != nil {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	})
}
