package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// inNamespace reports whether the test runs in a separate mount namespace. If it does
// not, inNamespace runs the test again in one.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("E2E_NAMESPACE") != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Fatal("run this as root: the test mounts file systems and changes its user")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need(t, "unshare"), "-m", exe, "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), "E2E_NAMESPACE=1", "AUTHSOME_BINARY="+binary)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// newSmallStage returns a stage with one connection, on a file system of two
// megabytes.
func newSmallStage(t *testing.T) stage {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := stage{dir}
	s.must(t, oldKey, "login", "resend", "--key-stdin")
	return s
}

// must runs a command that has to succeed, and returns what it printed.
func (s stage) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, stderr, code := s.authsome(stdin, args...)
	if code != 0 {
		t.Fatalf("%v: %d: %s", args, code, stderr)
	}
	return out
}

// fill fills the file system until free bytes are left, in whole pages.
func (s stage) fill(t *testing.T, free int64) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &fs); err != nil {
		t.Fatal(err)
	}
	if size := int64(fs.Bavail)*fs.Bsize - free; size > 0 {
		if err := os.WriteFile(filepath.Join(s.dir, "filler"), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// drain deletes what fill has written.
func (s stage) drain() { os.Remove(filepath.Join(s.dir, "filler")) }

// key returns the stored key of resend.
func (s stage) key(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(s.must(t, "", "get", "resend", "--field", "api_key", "--show-secret"))
}

// TestFullDisk checks that with any amount of free space a change is made or refused,
// commands that only read work, and neither they nor a running proxy crash.
func TestFullDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := newSmallStage(t)
	proxy := s.proxy(t)
	refused, made := 0, 0
	for free := int64(0); free <= 96<<10; free += 4 << 10 {
		want := fmt.Sprintf("re_%d_0123456789abcdef", free)
		before := s.key(t)
		s.fill(t, free)
		_, stderr, code := s.authsome(want, "login", "resend", "--key-stdin", "--force")
		if out, viewed, code := s.authsome("", "list", "--connected"); code != 0 || !strings.Contains(out, "resend") {
			t.Errorf("%d bytes free: list: %d: %s%s", free, code, out, viewed)
		}
		s.drain()
		after := s.key(t)
		switch {
		case code == 0 && after == want:
			made++
		case code == 7 && after == before && strings.Contains(stderr, "no space left") && strings.Contains(stderr, "hint: free some disk space"):
			refused++
		default:
			t.Errorf("%d bytes free: %d, the key is %q: %s", free, code, after, stderr)
		}
	}
	if refused == 0 || made == 0 {
		t.Errorf("%d refused, %d made", refused, made)
	}
	// The disk fills up and empties again while commands write.
	stop := make(chan struct{})
	var filling sync.WaitGroup
	filling.Go(func() {
		for free := int64(0); ; free = (free + 12<<10) % (64 << 10) {
			select {
			case <-stop:
				s.drain()
				return
			default:
			}
			var fs syscall.Statfs_t
			if syscall.Statfs(s.dir, &fs) == nil {
				os.WriteFile(filepath.Join(s.dir, "filler"), make([]byte, max(0, int64(fs.Bavail)*fs.Bsize-free)), 0o600)
			}
			s.drain()
		}
	})
	last := s.dir
	for i := range 15 {
		want := fmt.Sprintf("re_racing_%d_0123456789", i)
		_, stderr, code := s.authsome(want, "login", "resend", "--key-stdin", "--force")
		if code == 0 {
			last = want
		} else if code != 7 && code != 1 || strings.Contains(stderr, "goroutine ") {
			t.Errorf("%d: %s", code, stderr)
		}
	}
	close(stop)
	filling.Wait()
	if key := s.key(t); strings.HasPrefix(last, "re_") && key != last && !strings.HasPrefix(key, "re_racing_") {
		t.Errorf("acknowledged %q, found %q", last, key)
	}
	proxy(t)
}

// proxy starts a proxy, and returns a function that waits until it is ready.
func (s stage) proxy(t *testing.T) (alive func(*testing.T)) {
	t.Helper()
	cmd := exec.Command(binary, "proxy", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-file", "")
	cmd.Env = []string{"AUTHSOME_HOME=" + filepath.Join(s.dir, "home"), "HOME=" + s.dir, "PATH=" + os.Getenv("PATH")}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	admin := ""
	buffer := make([]byte, 4096)
	for text := ""; admin == ""; {
		n, err := stderr.Read(buffer)
		if err != nil {
			t.Fatalf("the proxy did not start: %v: %s", err, text)
		}
		text += string(buffer[:n])
		if _, rest, found := strings.Cut(text, "metrics on http://"); found && strings.Contains(rest, "/") {
			admin, _, _ = strings.Cut(rest, "/")
		}
	}
	go func() {
		for err := error(nil); err == nil; {
			_, err = stderr.Read(buffer)
		}
	}()
	return func(t *testing.T) {
		t.Helper()
		for deadline := time.Now().Add(limit); ; {
			response, err := http.Get("http://" + admin + "/readyz")
			if err != nil {
				t.Fatalf("the proxy does not serve any more: %v", err)
			}
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the proxy is not ready: %s", response.Status)
			}
			time.Sleep(50 * time.Millisecond) // between checks of another process
		}
	}
}

// TestReadOnlyDisk checks that on a read-only disk commands that only read work, and
// changes are refused.
func TestReadOnlyDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := newSmallStage(t)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", s.dir, "", syscall.MS_REMOUNT|flags, "size=2m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	for _, args := range [][]string{{"list", "--connected"}, {"get", "resend"}, {"vault", "check"}} {
		if out, stderr, code := s.authsome("", args...); code != 0 || out == "" {
			t.Errorf("%v: %d: %s%s", args, code, out, stderr)
		}
	}
	_, stderr, code := s.authsome(newKey, "login", "resend", "--key-stdin", "--force")
	if code != 7 || !strings.Contains(stderr, "read-only file system") || !strings.Contains(stderr, "hint: the file system is read-only") {
		t.Errorf("login: %d: %s", code, stderr)
	}
	remount(0)
	if key := s.key(t); key != oldKey {
		t.Errorf("the key is %q", key)
	}
}

// TestVaultPermissions gives files and directories permissions that keep the user out
// or let others in. Commands refuse, change nothing, and work again when the
// permissions are restored. It runs them as another user, because root may do
// everything.
func TestVaultPermissions(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const nobody = 65534
	open, err := os.MkdirTemp("", "vault-permissions-") // other users cannot reach t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	s, program := stage{filepath.Join(open, "stage")}, filepath.Join(open, "authsome")
	if err := errors.Join(os.Chmod(open, 0o755), os.Mkdir(s.dir, 0o700), os.Chown(s.dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", binary, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	setpriv := need(t, "setpriv")
	as := func(stdin string, args ...string) (string, string, int) {
		return s.command(stdin, setpriv, append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", program}, args...)...)
	}
	checkKey := func(what string) {
		t.Helper()
		if out, stderr, code := as("", "get", "resend", "--field", "api_key", "--show-secret"); strings.TrimSpace(out) != oldKey {
			t.Errorf("%s: %d: %s%s", what, code, out, stderr)
		}
	}
	if _, stderr, code := as(oldKey, "login", "resend", "--key-stdin"); code != 0 {
		t.Fatalf("login: %d: %s", code, stderr)
	}
	checkKey("the control")
	const profile = "home/profiles/default"
	for _, c := range []struct {
		path   string
		mode   os.FileMode
		uid    int
		reads  bool // commands that only read still work
		reason string
	}{
		{profile + "/vault", 0o000, nobody, false, "permission denied"},
		{profile + "/vault/000001.sst", 0o000, nobody, false, "permission denied"},
		{profile + "/vault/KEYREGISTRY", 0o600, 0, false, "permission denied"},
		{profile + "/generation", 0o600, 0, false, "permission denied"},
		{profile + "/vault.json", 0o600, 0, false, "permission denied"},
		{profile + "/vault.lock", 0o000, nobody, false, "permission denied"},
		{profile, 0o500, nobody, true, "permission denied"},
		{profile + "/vault", 0o700, 0, false, "permission denied"},
		{"home/master.key", 0o640, nobody, false, "others can read the master key"},
		{"home/master.key", 0o600, 0, false, "permission denied"},
		{"home", 0o750, nobody, false, "other users can access it"},
		{"home", 0o700, 0, false, "belongs to user 0"},
	} {
		path := filepath.Join(s.dir, c.path)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chown(path, c.uid, -1), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("%s mode %o of user %d", c.path, c.mode, c.uid)
		if _, stderr, code := as("", "list", "--connected"); (code == 0) != c.reads || !c.reads && (code != 7 || !strings.Contains(stderr, c.reason) || !strings.Contains(stderr, "hint: ")) {
			t.Errorf("%s: list: %d: %s", what, code, stderr)
		}
		if _, stderr, code := as(newKey, "login", "resend", "--key-stdin", "--force"); code != 7 || !strings.Contains(stderr, c.reason) {
			t.Errorf("%s: login: %d: %s", what, code, stderr)
		}
		if now, err := os.Stat(path); err != nil || now.Mode().Perm() != c.mode {
			t.Errorf("%s: its mode was changed: %v", what, err)
		}
		if err := errors.Join(os.Chown(path, nobody, -1), os.Chmod(path, info.Mode().Perm())); err != nil {
			t.Fatal(err)
		}
		checkKey("after " + what)
	}
}
