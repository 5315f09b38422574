package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
