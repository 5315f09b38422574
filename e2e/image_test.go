package e2e

import (
	"bytes"
	"crypto/rand"
	"debug/elf"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const imageUser = 65532

// image is a directory with the content of the Dockerfile's last stage: the binary
// that its build line makes, and empty directories.
type image struct {
	t    *testing.T
	root string
}

func newImage(t *testing.T) image {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("run this as root: the test changes its user and root directory")
	}
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`RUN (CGO_ENABLED=0 go build [^\n\\]+) -o /out/authsome (\./cmd/authsome)`).FindSubmatch(dockerfile)
	if build == nil {
		t.Fatal("the Dockerfile has no build line of the form that this test expects")
	}
	i := image{t, t.TempDir()}
	os.Chmod(i.root, 0o755)
	cmd := exec.Command("sh", "-c", string(build[1])+" -o "+filepath.Join(i.root, "authsome")+" "+string(build[2]))
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range []struct {
		name string
		mode os.FileMode
	}{{"home/authsome", 0o700}, {"tmp", 0o700}, {"trust", 0o755}} {
		path := filepath.Join(i.root, dir.name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(path, dir.mode), os.Chown(path, imageUser, imageUser)); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// command returns a command in the image, with the user and the environment that the
// Dockerfile sets.
func (i image) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("/authsome", args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"HOME=/home/authsome", "AUTHSOME_HOME=/home/authsome/.authsome"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}
	return cmd
}

func (i image) run(stdin string, args ...string) string {
	i.t.Helper()
	cmd := i.command(nil, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		i.t.Fatalf("authsome %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestImage checks that the binary runs without a distribution: in a root directory
// without libc, shell and roots, as the image's user, it stores a key and serves
// requests with it.
func TestImage(t *testing.T) {
	r := newRig(t)
	i := newImage(t)
	program, err := elf.Open(filepath.Join(i.root, "authsome"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary needs a dynamic linker")
		}
	}
	i.run(`{"schema_version":1,"name":"upstream","display_name":"Upstream","auth_type":"api_key","flow":"api_key","host_url":"`+routeHost+`"}`, "register", "-", "--yes")
	i.run(r.key, "login", "upstream", "--key-stdin")
	pem, err := os.ReadFile(r.ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.root, "upstream.pem"), pem, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, verified := range map[string]bool{"with the upstream's authority": true, "with the built-in roots": false} {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(r.tls)
			token := rand.Text()
			args := []string{"proxy", "--json", "--listen", "0.0.0.0:0", "--admin", "0.0.0.0:0", "--ca-out", "/trust/ca.pem", "--connect-to", routeHost + ":443:127.0.0.1:" + port}
			if verified {
				args = append(args, "--upstream-ca", "/upstream.pem")
			}
			cmd := i.command([]string{"AUTHSOME_PROXY_TOKEN=" + token}, args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			var at struct{ Proxy string }
			if err := json.NewDecoder(stdout).Decode(&at); err != nil {
				t.Fatalf("the proxy did not start: %v\n%s", err, &stderr)
			}
			_, proxyPort, _ := net.SplitHostPort(at.Proxy)
			curl := exec.Command(need(t, "curl"), "-sS", "--max-time", "60", "-x", "http://authsome:"+token+"@127.0.0.1:"+proxyPort,
				"--cacert", filepath.Join(i.root, "trust", "ca.pem"), "https://"+routeHost+"/x")
			curl.Env = []string{"PATH=" + os.Getenv("PATH")}
			out, err := curl.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s%s", err, out, &stderr)
			}
			if verified {
				if !strings.Contains(string(out), "hello from "+routeHost) {
					t.Errorf("the client printed %s", out)
				}
				r.wantOnce("")
				return
			}
			if !strings.Contains(string(out), "upstream_tls") {
				t.Errorf("the client printed %s", out)
			}
			if all := r.arrivals(); len(all) != 0 {
				t.Errorf("requests arrived at a service that was not verified: %+v", all)
			}
			log, err := os.ReadFile(filepath.Join(i.root, "home/authsome/.authsome/logs/authsome.log"))
			if err != nil || !strings.Contains(string(log), "certificate signed by unknown authority") {
				t.Errorf("the log does not say why (%v): %s", err, log)
			}
		})
	}
}
