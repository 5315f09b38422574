package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// nobody is a user without privileges, for whom a fence is hardest to make.
const nobody = 65534

// newNobodyRig returns a rig of nobody. Its directories are not in t.TempDir, which
// only root can enter.
func newNobodyRig(t *testing.T) *rig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("run this as root: the test changes its user")
	}
	dir, err := os.MkdirTemp("", "e2e-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t: t, home: filepath.Join(dir, "home"), tmp: filepath.Join(dir, "tmp"), uid: nobody}
	if err := errors.Join(os.Mkdir(r.tmp, 0o755), give(nobody, dir)); err != nil {
		t.Fatal(err)
	}
	r.prepare()
	return r
}

// give makes a user the owner of directories and of what is in them.
func give(uid int, dirs ...string) error {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, uid)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// asUser makes a process one of a user; 0 is who runs the tests.
func asUser(uid int) *syscall.SysProcAttr {
	if uid == 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}

func userName(uid int) string {
	if uid == nobody {
		return "nobody"
	}
	return "root"
}

// userOf returns who can run the programs: nobody, or root if one of them is below a
// directory that only root can enter, such as a checkout in root's home.
func userOf(programs ...string) int {
	for _, path := range programs {
		for dir := filepath.Dir(path); filepath.IsAbs(path) && dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
				return 0
			}
		}
	}
	return nobody
}

// isolated is a finished run of a client in a fence.
type isolated struct {
	out    string // what the client printed, on both streams
	report string // what authsome printed at the end
	exit   int
}

// isolate runs a shell script in a fence, without any proxy setting. The script must
// print its errors to standard output, because standard error is for authsome.
func (r *rig) isolate(script string, flags ...string) isolated {
	r.t.Helper()
	cmd := r.command(nil, append(append([]string{"--isolate"}, flags...), withoutProxy("sh", "-c", "exec 2>&1; "+script)...)...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		r.t.Fatalf("%v\n%s%s", err, &out, &stderr)
	}
	return isolated{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// wantServed checks that a client received the page of a host, whose request arrived once
// with the credential.
func (r *rig) wantServed(i isolated) {
	r.t.Helper()
	if i.exit != 0 || !strings.Contains(i.out, "hello from "+routeHost) {
		r.t.Errorf("exit %d: %s%s", i.exit, i.out, i.report)
	}
	all := r.arrivals()
	if len(all) != 1 || !all[0].Authorized {
		r.t.Errorf("arrived: %+v", all)
	}
}

// selfProgram is a copy of the test binary that every user can run, for its roles.
var selfProgram = sync.OnceValue(func() string {
	exe, err := os.Executable()
	check(err)
	b, err := os.ReadFile(exe)
	check(err)
	path := filepath.Join(built, "e2e.test")
	check(os.WriteFile(path, b, 0o755))
	return path
})

// inside is a role of the test binary that runs in a fence.
type inside struct {
	*exec.Cmd
	stdin  io.WriteCloser
	lines  *bufio.Scanner // what it prints
	stderr bytes.Buffer
}

// startInside starts a role in a fence. Flags of run may precede it.
func (r *rig) startInside(role string, env []string, flags ...string) *inside {
	r.t.Helper()
	i := &inside{Cmd: r.command(env, append(append([]string{"--isolate"}, flags...), withoutProxy("E2E_ROLE="+role, selfProgram())...)...)}
	i.Stderr = &i.stderr
	stdin, err1 := i.StdinPipe()
	stdout, err2 := i.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		r.t.Fatal(err)
	}
	i.stdin, i.lines = stdin, bufio.NewScanner(stdout)
	if err := i.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { stdin.Close() })
	return i
}

// waitFor reads lines until one is want.
func (i *inside) waitFor(t *testing.T, want string) {
	t.Helper()
	for i.lines.Scan() {
		if i.lines.Text() == want {
			return
		}
	}
	t.Fatalf("ended before it printed %q: %v\n%s", want, i.Wait(), &i.stderr)
}

// end closes standard input, at which roles end, and waits.
func (i *inside) end(t *testing.T) {
	t.Helper()
	i.stdin.Close()
	for i.lines.Scan() {
	}
	if err := i.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &i.stderr)
	}
}
