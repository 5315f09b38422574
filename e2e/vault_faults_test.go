package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// operations are the commands that the tests kill at their system calls, and whose
// system calls they make fail.
var operations = []operation{
	{name: "first login", args: []string{"login", "resend", "--key-stdin", "--no-verify"}, stdin: newKey, fresh: true},
	{name: "replacement", args: []string{"login", "resend", "--key-stdin", "--force", "--no-verify"}, stdin: newKey},
	{name: "logout", args: []string{"logout", "resend"}, gone: true},
	{name: "key rotation", args: []string{"key", "rotate", "--reseal"}, same: true},
	{name: "refresh", args: []string{"export", "acme"}, ready: expired, shown: []string{"acme", "--field", "access_token"}},
	{name: "restore", args: []string{"vault", "restore", "backup.age", "--identity", "identity", "--force"}},
}

type operation struct {
	name  string
	args  []string
	stdin string
	fresh bool // starts without a home
	gone  bool // deletes the connection
	same  bool // does not change the key

	ready func(*testing.T, stage) // prepares more of the state before the operation
	shown []string                // arguments of get for the value that changes; nil means the key of resend
}

const (
	oldKey   = "re_old_0123456789abcdef"
	newKey   = "re_new_0123456789abcdef"
	otherKey = "sk-kept-0123456789abcdef" // stored earlier, and not changed
	// Made for this test.
	identity  = "AGE-SECRET-KEY-1F7TYNAUZGJEM4YQ9GMLK6AE2U6SDPT8W3KXPVMWPL2VRFZZMSL4Q305P42"
	recipient = "age1trapze6xlg06mxa5h6mnk20pel2vcg38nn2fwrx74phknrf6uu4qjcftlv"
)

// changing lists the system calls that change files or make a change durable.
var changing = strings.Join([]string{"openat", "mkdirat", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "msync",
	"renameat", "renameat2", "linkat", "unlinkat", "fchmod", "fchmodat", "flock"}, ",")

// call is the nth use of a system call on a path below the home.
type call struct {
	name, path string // path is relative to home's parent
	n          int
}

func (c call) String() string { return fmt.Sprintf("%s %s %d", c.name, c.path, c.n) }

// stage is a directory with a home.
type stage struct{ dir string }

// authsome runs a command. The code is -1 if a signal ended it, and -2 if it could
// not be started.
func (s stage) authsome(stdin string, args ...string) (stdout, stderr string, code int) {
	return s.command(stdin, binary, args...)
}

func (s stage) command(stdin, name string, args ...string) (string, string, int) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(stdin)
	cmd.Env = []string{"AUTHSOME_HOME=" + filepath.Join(s.dir, "home"), "HOME=" + s.dir, "TMPDIR=" + filepath.Join(s.dir, "tmp"), "PATH=" + os.Getenv("PATH")}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	code := 0
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed) && failed.Sys().(syscall.WaitStatus).Signaled():
		code = -1
	case errors.As(err, &failed):
		code = failed.ExitCode()
	case err != nil:
		stderr.WriteString(err.Error())
		code = -2
	}
	return stdout.String(), stderr.String(), code
}

// prepare returns a stage in the state before an operation.
func prepare(t *testing.T, o operation) stage {
	t.Helper()
	s := stage{t.TempDir()}
	must := func(stdin string, args ...string) {
		t.Helper()
		if _, stderr, code := s.authsome(stdin, args...); code != 0 {
			t.Fatalf("%v: %d: %s", args, code, stderr)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(s.dir, "tmp"), 0o700), os.WriteFile(filepath.Join(s.dir, "identity"), []byte(identity), 0o600)); err != nil {
		t.Fatal(err)
	}
	if o.fresh {
		return s
	}
	must(otherKey, "login", "openai", "--key-stdin", "--no-verify")
	must(newKey, "login", "resend", "--key-stdin", "--no-verify")
	must("", "vault", "backup", "backup.age", "--recipient", recipient)
	must(oldKey, "login", "resend", "--key-stdin", "--force", "--no-verify")
	if o.ready != nil {
		o.ready(t, s)
	}
	return s
}

// expired imports a connection with an expired token from a Python authsome, and
// starts a server that refreshes the token.
func expired(t *testing.T, s stage) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"rt_new","token_type":"Bearer","expires_in":3600}`, newKey)
	}))
	t.Cleanup(server.Close)
	definition := strings.ReplaceAll(`{"schema_version":2,"name":"acme","flows":["pkce"],"hosts":["api.acme.test"],"env":[{"name":"ACME_TOKEN","value":"{access_token}"}],
		"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","client_id":"public","token_auth":"none"}}`, "SERVER", server.URL)
	values, err := sealForPython(map[string]string{"profile:default:acme:connection:default": `{"schema_version":2,"auth_type":"oauth2","status":"connected",
		"expires_at":"2026-01-02T03:04:05+00:00","access_token":"` + oldKey + `","refresh_token":"rt_old"}`})
	if err != nil {
		t.Fatal(err)
	}
	if out, stderr, code := s.command(string(values)+"\n", need(t, "python3"), "-c", pythonWriter, filepath.Join(s.dir, "python")); code != 0 {
		t.Fatalf("Python: %s%s", out, stderr)
	}
	if _, stderr, code := s.authsome(definition, "register", "-", "--yes"); code != 0 {
		t.Fatalf("register: %s", stderr)
	}
	if out, stderr, code := s.authsome("", "import", "--authsome", "python", "--yes"); code != 0 || !strings.Contains(out, "imported") {
		t.Fatalf("import: %s%s", out, stderr)
	}
}

func (s stage) copy(t *testing.T) stage {
	t.Helper()
	to := stage{filepath.Join(t.TempDir(), "stage")}
	if out, err := exec.Command("cp", "-a", s.dir, to.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

var (
	firstPath = regexp.MustCompile(`[<"](/[^">]*)[">]`)
	random    = regexp.MustCompile(`-\d{5,}$`)
)

// calls runs the operation under strace and returns its system calls.
func (s stage) calls(t *testing.T, o operation) []call {
	t.Helper()
	trace := filepath.Join(s.dir, "trace")
	args := append([]string{"-f", "-y", "-s", "0", "-o", trace, "-e", "trace=" + changing, binary}, o.args...)
	if _, stderr, code := s.command(o.stdin, need(t, "strace"), args...); code != 0 {
		t.Fatalf("%v: %d: %s", o.args, code, stderr)
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	seen := make(map[call]int)
	for line := range strings.Lines(string(b)) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
		name, rest, ok := strings.Cut(strings.TrimSpace(line), "(")
		if !ok || strings.HasPrefix(name, "<") || name == "openat" && !strings.Contains(line, "O_CREAT") {
			continue
		}
		// The first path may be the working directory.
		_, rest, _ = strings.Cut(rest, "AT_FDCWD<"+s.dir+">")
		if rest == "" {
			rest = line
		}
		path := firstPath.FindStringSubmatch(rest)
		if path == nil || !strings.HasPrefix(path[1], filepath.Join(s.dir, "home")) {
			continue
		}
		c := call{name: name, path: strings.TrimPrefix(path[1], s.dir+"/")}
		seen[c]++
		c.n = seen[c]
		all = append(all, c)
	}
	if len(all) < 20 {
		t.Fatalf("only %d calls: %v", len(all), all)
	}
	return all
}

// inject runs the operation with a fault at one call.
func (s stage) inject(t *testing.T, o operation, c call, fault string) (stderr string, code int) {
	t.Helper()
	when := strconv.Itoa(c.n)
	if c.name == "unlinkat" && fault != "signal=KILL" {
		when += "+" // Go tries several calls to delete a directory
	}
	args := []string{"-f", "-o", "/dev/null", "-e", "trace=" + c.name, "-e", fmt.Sprintf("inject=%s:%s:when=%s", c.name, fault, when)}
	if !random.MatchString(c.path) { // otherwise the nth call on any path
		args = append(args, "-P", filepath.Join(s.dir, c.path))
	}
	_, stderr, code = s.command(o.stdin, need(t, "strace"), append(append(args, binary), o.args...)...)
	return stderr, code
}

// state runs the next command, and returns the value that it shows, or "none".
func (s stage) state(t *testing.T, o operation, after string) string {
	t.Helper()
	shown := o.shown
	if shown == nil {
		shown = []string{"resend", "--field", "api_key"}
	}
	out, stderr, code := s.authsome("", append([]string{"get", "--show-secret"}, shown...)...)
	state := strings.TrimSpace(out)
	if code == 5 {
		state = "none"
	} else if code != 0 {
		t.Errorf("after %s: the first command: %d: %s", after, code, stderr)
	}
	if !o.fresh {
		if out, stderr, code := s.authsome("", "get", "openai", "--field", "api_key", "--show-secret"); strings.TrimSpace(out) != otherKey {
			t.Errorf("after %s: the other connection: %d: %s%s", after, code, out, stderr)
		}
	}
	return state
}

// states returns the values before and after the operation, as state shows them.
func (o operation) states() (old, new string) {
	old, new = oldKey, newKey
	if o.fresh {
		old = "none"
	}
	if o.gone {
		new = "none"
	}
	if o.same {
		new = old
	}
	return old, new
}

// sample returns every nth call, where AUTHSOME_VAULT_CALLS is n; 1 returns all.
func sample(t *testing.T, all []call) []call {
	t.Helper()
	stride := 4
	if text := os.Getenv("AUTHSOME_VAULT_CALLS"); text != "" {
		var err error
		if stride, err = strconv.Atoi(text); err != nil || stride < 1 {
			t.Fatalf("AUTHSOME_VAULT_CALLS=%s", text)
		}
	}
	var some []call
	for i, c := range all {
		if i%stride == 0 || i == len(all)-1 {
			some = append(some, c)
		}
	}
	return some
}

// TestKilledAtEveryCall kills each operation at each system call that sample returns.
// Afterwards the operation has happened or has not, everything that was acknowledged
// earlier is stored, and the next command works at once.
func TestKilledAtEveryCall(t *testing.T) {
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			before := prepare(t, o)
			calls := before.copy(t).calls(t, o)
			some := sample(t, calls)
			named, killed, states := 0, 0, make(map[string]int)
			old, new := o.states()
			for _, c := range some {
				// strace counts the calls of each thread. If another thread makes the
				// nth call this time, the operation is not killed; for files with
				// fixed names it is tried again.
				var s stage
				var code int
				for try := 0; ; try++ {
					var stderr string
					s = before.copy(t)
					stderr, code = s.inject(t, o, c, "signal=KILL")
					if code != -1 && code != 0 {
						t.Errorf("%v: %d: %s", c, code, stderr)
					}
					if code == -1 || random.MatchString(c.path) || try == 4 {
						break
					}
					os.RemoveAll(s.dir)
				}
				if !random.MatchString(c.path) {
					named++
					if code == -1 {
						killed++
					}
				}
				state := s.state(t, o, c.String())
				states[state]++
				if state != old && state != new {
					t.Errorf("killed at %v: the key is %q", c, state)
				}
				if code == 0 && state != new {
					t.Errorf("acknowledged, but the key is %q", state)
				}
				os.RemoveAll(s.dir)
			}
			t.Logf("killed at %d of %d calls on named files (%d calls in all): %v", killed, named, len(calls), states)
			if killed < named*3/4 || states[old] == 0 || states[new] == 0 {
				t.Errorf("killed at %d of %d calls, and found %v", killed, named, states)
			}
		})
	}
}

// TestFailingCalls makes system calls of each operation fail. The operation must
// return the error, and must not change anything that was acknowledged.
func TestFailingCalls(t *testing.T) {
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			before := prepare(t, o)
			calls := slices.DeleteFunc(before.copy(t).calls(t, o), func(c call) bool {
				// Badger also syncs a store that it only reads. Neither that nor
				// releasing a lock changes anything.
				reading := c.name == "fsync" && strings.HasSuffix(c.path, "/vault")
				return !strings.Contains(c.path, "/profiles/") || c.name == "flock" || reading || random.MatchString(c.path)
			})
			failed := 0
			old, new := o.states()
			for _, c := range sample(t, calls) {
				fault := "error=EIO"
				if slices.Contains([]string{"write", "openat", "mkdirat"}, c.name) {
					fault = "error=ENOSPC"
				}
				s := before.copy(t)
				stderr, code := s.inject(t, o, c, fault)
				state := s.state(t, o, c.String()+" "+fault)
				if state != old && state != new {
					t.Errorf("%v, %s: the key is %q", c, fault, state)
				}
				if strings.Contains(stderr, "goroutine ") || strings.Contains(stderr, "damaged") {
					t.Errorf("%v, %s: %s", c, fault, stderr)
				}
				switch {
				case code > 0:
					failed++
				case c.name == "unlinkat" && state == new: // another call has deleted it
					if _, err := os.Stat(filepath.Join(s.dir, "home/profiles/default/vault.new")); err == nil {
						t.Errorf("%v, %s: the previous store is left, without an error", c, fault)
					}
				case code == 0 && c.n == 1:
					t.Errorf("%v, %s: the error was ignored", c, fault)
				}
				os.RemoveAll(s.dir)
			}
			if failed == 0 {
				t.Error("nothing failed")
			}
		})
	}
}
