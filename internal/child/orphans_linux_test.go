package child

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// orphans is a command that leaves n processes without a parent, which end at once,
// and prints their pids.
func orphans(n int) string {
	return fmt.Sprintf(`i=0; while [ $i -lt %d ]; do sh -c 'true & echo $!'; i=$((i+1)); done`, n)
}

// startHere runs a script in this process, which must not end before the caller closes
// its stdin. The exit code comes when it has ended.
func startHere(t *testing.T, script string) (out *bufio.Reader, stdin *os.File, code <-chan int) {
	t.Helper()
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, w
	}
	childIn, stdin := pipe()
	read, childOut := pipe()
	read.SetReadDeadline(time.Now().Add(limit))
	ended := make(chan int, 1)
	go func() {
		code, err := Process{Args: []string{"sh", "-c", script}, Env: os.Environ(), Stdin: childIn, Stdout: childOut, Stderr: os.Stderr}.Run(t.Context())
		childIn.Close()
		childOut.Close()
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	return bufio.NewReader(read), stdin, ended
}

func readLine(t *testing.T, out *bufio.Reader) string {
	t.Helper()
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return strings.TrimSpace(line)
}

// A process without a parent stays a descendant of the run, in a session of its
// leader, in the background and with an empty environment too.
func TestOrphansBecomeChildrenOfTheRun(t *testing.T) {
	out, stdin, code := startHere(t, `
		echo $(sh -c 'sleep 60 >/dev/null & echo $!')
		echo $(setsid --wait sh -c 'sleep 60 >/dev/null & echo $!')
		echo $(env -i "PATH=$PATH" nohup sh -c 'sleep 60 >/dev/null & echo $!' 2>/dev/null)
		read x`)
	for range 3 {
		pid := readLine(t, out)
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if want := fmt.Sprintf("\nPPid:\t%d\n", os.Getpid()); err != nil || !strings.Contains(string(status), want) {
			t.Errorf("process %s is not a child of this process: %v", pid, err)
		}
		var n int
		fmt.Sscan(pid, &n)
		syscall.Kill(n, syscall.SIGKILL)
	}
	stdin.Close()
	<-code
}

// No zombies are left while the command is still running.
func TestOrphansAreReaped(t *testing.T) {
	const n = 100
	out, stdin, code := startHere(t, orphans(n)+"; read x; exit 5")
	var pids []int
	for range n {
		var pid int
		if _, err := fmt.Sscan(readLine(t, out), &pid); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	deadline := time.Now().Add(limit)
	for _, pid := range pids {
		for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still there", pid)
			}
		}
	}
	stdin.Close()
	if got := <-code; got != 5 {
		t.Errorf("exit code %d", got)
	}
}

// The exit code is the command's, however many orphans end at the same time, also of
// two commands at once.
func TestExitCodeWhileOrphansEnd(t *testing.T) {
	var running sync.WaitGroup
	for want := 1; want <= 20; want++ {
		for range 2 {
			running.Go(func() {
				script := fmt.Sprintf("(%s) >/dev/null; exit %d", orphans(10), want)
				code, err := Process{Args: []string{"sh", "-c", script}, Env: os.Environ()}.Run(t.Context())
				if code != want || err != nil {
					t.Errorf("exit code %d, %v; want %d", code, err, want)
				}
			})
		}
		if want%4 == 0 {
			running.Wait()
		}
	}
	running.Wait()
}
