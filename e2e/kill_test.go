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

// start starts a child that holds, and gives the run's process and its files.
func (r *rig) start() (run *exec.Cmd, child int, files string) {
	r.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	run = r.command([]string{"E2E_ROLE=hold"}, "sh", "-c", "echo $$; exec "+exe)
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
		r.t.Fatal("the child did not say where its files are")
	}
	files = lines.Text()
	if !strings.Contains(files, "authsome-run-") {
		r.t.Fatalf("the child's files are in %q", files)
	}
	return run, child, files
}

func TestKilledChild(t *testing.T) {
	r := newRig(t)
	run, child, files := r.start()
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var failed *exec.ExitError
	if err := run.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 137 {
		t.Errorf("the run ended with %v, want 137", err)
	}
	if _, err := os.Stat(files); !os.IsNotExist(err) {
		t.Errorf("the run's files are still there: %v", err)
	}
}

func TestKilledRun(t *testing.T) {
	r := newRig(t)
	run, child, files := r.start()
	run.Process.Kill()
	run.Wait()
	for deadline := time.Now().Add(limit); syscall.Kill(child, 0) == nil; {
		state, _ := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		if strings.Contains(string(state), ") Z ") {
			break // dead; nobody has waited for it yet
		}
		if time.Now().After(deadline) {
			t.Fatal("the child outlives its run")
		}
		time.Sleep(10 * time.Millisecond) // between looks at another process
	}
	// The next run sweeps what the killed one left, once it is sure that nobody is
	// about to use it.
	killed := time.Now().Add(-time.Hour)
	if err := os.Chtimes(files, killed, killed); err != nil {
		t.Fatal(err)
	}
	r.run(nil, "true")
	if _, err := os.Stat(files); !os.IsNotExist(err) {
		t.Errorf("the killed run's files are still there: %v", err)
	}
}
