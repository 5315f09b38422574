package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutNamespaces is the role that executes its arguments under a filter that refuses
// user namespaces, as containers do.
func withoutNamespaces() {
	const call, argument = 0, 16 // offsets in struct seccomp_data
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: call},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE3, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_UNSHARE, Jt: 1},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: argument},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_NEWUSER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	check(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	const allThreads = 1 // SECCOMP_FILTER_FLAG_TSYNC
	check(number(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, allThreads, uintptr(unsafe.Pointer(&p))))
	os.Unsetenv("E2E_ROLE")
	check(unix.Exec(os.Args[1], os.Args[1:], os.Environ()))
}

// TestIsolateWithoutNamespaces runs commands where the system does not allow user
// namespaces. With --isolate, the command does not start, and a person learns what to do.
func TestIsolateWithoutNamespaces(t *testing.T) {
	requireRoot(t)
	r := newRig(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	limited := func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"unshare", "-Ur", "sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"`, "sh"}, cmd.Args...)
		cmd.Path = need(t, "unshare")
	}
	filtered := func(cmd *exec.Cmd) {
		cmd.Args = append([]string{self}, cmd.Args...)
		cmd.Path, cmd.Env = self, append(cmd.Env, "E2E_ROLE=nonamespaces")
	}
	for _, machine := range []struct {
		name   string
		change func(*exec.Cmd)
		remedy string
	}{
		{"max_user_namespaces is 0", limited, "sysctl user.max_user_namespaces="},
		{"a filter refuses them", filtered, "seccomp=unconfined"},
	} {
		for _, tt := range []struct {
			flag    string
			code    int
			started bool
		}{{"--isolate", 1, false}, {"--isolate=required", 1, false}, {"--isolate=auto", 0, true}, {"--isolate=off", 0, true}} {
			t.Run(machine.name+"/"+tt.flag, func(t *testing.T) {
				cmd := r.command(nil, tt.flag, "sh", "-c", "echo started")
				machine.change(cmd)
				var stdout, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				cmd.Run()
				if code := cmd.ProcessState.ExitCode(); code != tt.code || (stdout.String() == "started\n") != tt.started {
					t.Errorf("exit code %d, printed %q: %s", code, stdout.String(), &stderr)
				}
				said := strings.Count(stderr.String(), "isolated")
				switch {
				case !tt.started && !strings.Contains(stderr.String(), machine.remedy):
					t.Errorf("no remedy: %s", &stderr)
				case tt.flag == "--isolate=auto" && (said != 1 || strings.Count(stderr.String(), "\n") != 1):
					t.Errorf("want one line that says so: %s", &stderr)
				case tt.flag == "--isolate=off" && said != 0:
					t.Errorf("standard error: %s", &stderr)
				}
			})
		}
	}
}
