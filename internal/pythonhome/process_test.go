//go:build unix

package pythonhome

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// serveIn makes this binary a process that waits for SIGTERM. A further argument is a file
// that it keeps open.
const serveIn = "PYTHONHOME_TEST_SERVE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(serveIn); mode != "" {
		terminate := make(chan os.Signal, 1)
		signal.Notify(terminate, syscall.SIGTERM)
		if len(os.Args) > 2 {
			if _, err := os.Open(os.Args[2]); err != nil {
				panic(err)
			}
		}
		fmt.Println("ready")
		<-terminate
		if mode == "stay" {
			<-make(chan struct{})
		}
		return
	}
	os.Exit(m.Run())
}

// serve starts this binary with arguments and returns it and a channel that is closed when
// it has ended.
func serve(t *testing.T, mode string, args ...string) (cmd *exec.Cmd, ended chan struct{}) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), serveIn+"="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 6); !func() bool { n, _ := out.Read(line); return string(line[:n]) == "ready\n" }() {
		t.Fatal("the process did not start")
	}
	ended = make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	return cmd, ended
}

func notePID(t *testing.T, dir, pid string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "daemon"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "daemon", "daemon.pid"), []byte(pid), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The daemon is found by its note and stopped. Another process with that number is left
// alone.
func TestRunning(t *testing.T) {
	dir := t.TempDir()
	for _, note := range []string{"", "no number", "-1", "0", "1", "999999999"} {
		notePID(t, dir, note)
		if p, ok := Running(dir); ok {
			t.Errorf("%q: %+v", note, p)
		}
	}
	other, _ := serve(t, "end", "something-else")
	notePID(t, dir, fmt.Sprint(other.Process.Pid))
	if p, ok := Running(dir); ok {
		t.Errorf("another program: %+v", p)
	}
	daemon, ended := serve(t, "end", "authsome.cli.main")
	notePID(t, dir, fmt.Sprint(daemon.Process.Pid, "\n"))
	p, ok := Running(dir)
	if !ok || p.PID != daemon.Process.Pid || !strings.Contains(p.command, "authsome.cli.main") {
		t.Fatalf("%+v, %v", p, ok)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if p, ok := Running(dir); ok {
		t.Errorf("stopped: %+v", p)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
}

func TestIsAuthsome(t *testing.T) {
	for command, want := range map[string]bool{
		"python3 -m authsome.cli.main daemon serve": true, "/usr/bin/python /home/kim/.local/bin/authsome login github": true, "authsome daemon": true,
		"": false, "tail -f /home/kim/.authsome/profiles/default/store.db": false, "/home/kim/authsome/venv/bin/python server.py": false,
		"sqlite3 /srv/authsome.old/store.db": false, "vim a b c d authsome": false,
	} {
		if got := isAuthsome(command); got != want {
			t.Errorf("%q: %v", command, got)
		}
	}
}

// A process that has the number of one that has ended is not stopped.
func TestStopSparesAnotherProcess(t *testing.T) {
	cat := exec.Command("cat")
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cat.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer cat.Wait()
	defer in.Close()
	if err := (Process{PID: cat.Process.Pid, command: "authsome daemon serve"}).Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 1)); n != 1 {
		t.Errorf("it was stopped: %v", err)
	}
}

// On Linux, a process that has the store open is found without a note.
func TestStoreUserIsFound(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell")
	}
	path, _ := newStore(t, "DELETE", nil)
	dir := filepath.Dir(filepath.Dir(filepath.Dir(path)))
	if p, ok := Running(dir); ok {
		t.Errorf("this process: %+v", p)
	}
	serve(t, "end", "another-program", path)
	if p, ok := Running(dir); ok {
		t.Errorf("another program: %+v", p)
	}
	user, _ := serve(t, "stay", "/usr/bin/authsome", path)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	var p Process
	for _, dir := range []string{dir, filepath.Base(dir), link} {
		var ok bool
		if p, ok = Running(dir); !ok || p.PID != user.Process.Pid {
			t.Fatalf("%s: %+v, %v", dir, p, ok)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ctx); err == nil || errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a process that stays: %v", err)
	}
}
