package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitFor waits until a condition holds that another process brings about.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this did not happen within %v: %s", limit, what)
		}
	}
}

// breakListener makes every further accept(2) of a process fail, as if its listener were
// broken, and connects to it once.
func breakListener(t *testing.T, pid int, address string) {
	t.Helper()
	strace := exec.CommandContext(t.Context(), need(t, "strace"), "-f", "-o", "/dev/null", "-e", "trace=accept4", "-e", "inject=accept4:error=EINVAL", "-p", fmt.Sprint(pid))
	stderr, err := strace.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := strace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { strace.Process.Kill(); strace.Wait() })
	if line, err := bufio.NewReader(stderr).ReadString('\n'); !strings.Contains(line, "attached") {
		t.Fatalf("strace: %q, %v", line, err)
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
}

// exitCode waits for a process and returns its exit code.
func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// TestRunEndsWithItsProxy breaks the listener of a run. The run ends its command with
// SIGTERM, says why, and exits with an error.
func TestRunEndsWithItsProxy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cmd := r.command(nil, "sh", "-c", `trap 'echo terminated; exit 0' TERM; echo "$HTTPS_PROXY"; while :; do sleep 0.05; done`)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	proxy, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	breakListener(t, cmd.Process.Pid, strings.TrimPrefix(strings.TrimSpace(proxy), "http://"))
	if rest, err := io.ReadAll(lines); string(rest) != "terminated\n" {
		t.Errorf("the command printed %q, %v", rest, err)
	}
	if code := exitCode(t, cmd); code != 1 || !strings.Contains(stderr.String(), "authsome: error: the proxy stopped serving, so sh was ended") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

// TestProxyEndsWithABrokenListener is the same for `authsome proxy`, which a supervisor
// starts again.
func TestProxyEndsWithABrokenListener(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.startProxy()
	breakListener(t, p.cmd.Process.Pid, p.address)
	if code := exitCode(t, p.cmd); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// orphan makes requests for as long as it lives, and writes the exit codes of curl to a
// file. If one of them went to the service directly, it would arrive: curl is told where
// the host is.
const orphan = `setsid sh -c 'echo $$ >orphan; while :; do REQUEST; echo $? >>"$0"; sleep 0.05; done' "$0" >/dev/null 2>&1 &
wait`

const orphanRequest = `curl -sS -o /dev/null --max-time 5 --connect-to api.upstream.test:443:127.0.0.1:PORT -k -H "Authorization: Bearer $UPSTREAM_API_KEY" https://api.upstream.test/x`

// TestCrashedRunLeavesNoWayAround ends runs by signals that they cannot handle. The
// command ends with the run. A process that the command has moved to another session
// survives; none of its requests arrives at the service any more, because its proxy
// refuses connections.
func TestCrashedRunLeavesNoWayAround(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGABRT} {
		t.Run(signal.String(), func(t *testing.T) {
			r := newRig(t)
			results := filepath.Join(r.tmp, "results")
			_, port, _ := strings.Cut(r.tls, ":")
			request := strings.ReplaceAll(orphanRequest, "PORT", port)
			if out, err := exec.Command("sh", "-c", "unset HTTPS_PROXY https_proxy; "+request).CombinedOutput(); err != nil || len(r.arrivals()) != 1 {
				t.Fatalf("without a proxy, the request does not arrive: %v: %s", err, out)
			}
			run := r.command(nil, "sh", "-c", "echo $$ >command; "+strings.ReplaceAll(orphan, "REQUEST", request), results)
			var stderr bytes.Buffer
			run.Stderr = &stderr
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			codes := func() []string {
				b, _ := os.ReadFile(results)
				return strings.Fields(string(b))
			}
			waitFor(t, "a request succeeds", func() bool { all := codes(); return len(all) > 0 && all[len(all)-1] == "0" })
			if err := run.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			run.Wait()
			pid := func(name string) int {
				b, err := os.ReadFile(filepath.Join(r.tmp, name))
				if err != nil {
					t.Fatal(err)
				}
				n, err := strconv.Atoi(strings.TrimSpace(string(b)))
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			t.Cleanup(func() { syscall.Kill(-pid("orphan"), syscall.SIGKILL) })
			waitFor(t, "the command ends", func() bool {
				state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid("command")))
				return err != nil || strings.Contains(string(state), ") Z ")
			})
			before := len(codes())
			waitFor(t, "the orphan makes more requests", func() bool { return len(codes()) > before+5 })
			r.arrivals()
			before = len(codes())
			waitFor(t, "the orphan makes more requests", func() bool { return len(codes()) > before+10 })
			if arrived := r.arrivals(); len(arrived) > 0 {
				t.Errorf("arrived without the proxy: %+v", arrived)
			}
			for _, code := range codes()[before:] {
				if code == "0" {
					t.Error("a request succeeded without the proxy")
				}
			}
		})
	}
}
