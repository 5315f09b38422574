package e2e

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start starts a child that waits to be killed, with flags of run. It returns the run, the
// child's process ID, and the directory of the run's files.
func (r *rig) start(flags ...string) (run *exec.Cmd, child int, files string) {
	r.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	run = r.command([]string{"E2E_ROLE=hold"}, append(flags, "sh", "-c", "echo $$; exec "+exe)...)
	stdout, err := run.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		r.t.Fatal("the child did not start")
	}
	if child, err = strconv.Atoi(lines.Text()); err != nil {
		r.t.Fatal(err)
	}
	if !lines.Scan() {
		r.t.Fatal("the child did not print where its files are")
	}
	files = lines.Text()
	if !strings.Contains(files, "authsome-run-") {
		r.t.Fatalf("the child's files are in %q", files)
	}
	return run, child, files
}

// killable are the flags of runs that are killed, by the names of the subtests.
var killable = map[string][]string{"plain": nil, "isolated": {"--isolate"}}

// TestKilledChild checks the exit code of a run whose child is killed, and that the
// run deletes its files.
func TestKilledChild(t *testing.T) {
	for name, flags := range killable {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			run, child, files := r.start(flags...)
			if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			var failed *exec.ExitError
			if err := run.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 137 {
				t.Errorf("the run ended with %v, want 137", err)
			}
			if _, err := os.Stat(files); !os.IsNotExist(err) {
				t.Errorf("the run's files still exist: %v", err)
			}
			r.wantNoMounts()
		})
	}
}

// TestKilledRun checks that the child of a killed run ends, and that the next run
// deletes the files.
func TestKilledRun(t *testing.T) {
	for name, flags := range killable {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			run, child, files := r.start(flags...)
			run.Process.Kill()
			run.Wait()
			waitFor(t, "the child of the killed run ends", func() bool {
				state, _ := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
				return syscall.Kill(child, 0) != nil || strings.Contains(string(state), ") Z ") // a zombie
			})
			// The next run deletes the files only when they are old: new ones may belong to a
			// run that is starting.
			killed := time.Now().Add(-time.Hour)
			if err := os.Chtimes(files, killed, killed); err != nil {
				t.Fatal(err)
			}
			r.run(nil, append(flags, "true")...)
			if _, err := os.Stat(files); !os.IsNotExist(err) {
				t.Errorf("the killed run's files still exist: %v", err)
			}
			r.wantNoMounts()
		})
	}
}

// wantNoMounts checks that nothing is mounted at the files of the rig.
func (r *rig) wantNoMounts() {
	r.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, dir := range []string{r.home, r.tmp} {
		if strings.Contains(string(mounts), dir) {
			r.t.Errorf("mounted: %s", mounts)
		}
	}
}
