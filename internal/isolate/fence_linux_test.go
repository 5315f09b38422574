package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit is how long a test waits before it fails.
const limit = 20 * time.Second

// fenced starts a fence, or skips the test where the system allows none.
func fenced(t *testing.T, o Options) *Fence {
	t.Helper()
	if o.Home == "" {
		o.Home = t.TempDir()
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	f, err := Start(t.Context(), o)
	if unsupported, ok := errors.AsType[*UnsupportedError](err); ok {
		t.Skip(unsupported)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// output runs a shell script in a fence and returns what it prints.
func output(t *testing.T, o Options, script string) string {
	t.Helper()
	var out bytes.Buffer
	o.Streams = Streams{Out: &out, Err: &out}
	f := fenced(t, o)
	if err := f.Exec([]string{"sh", "-c", script}, os.Environ()); err != nil {
		t.Fatal(err)
	}
	if err := f.Cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return out.String()
}

func write(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("open"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHidden(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	secret, key, visible := write(t, filepath.Join(home, "master.key")), write(t, filepath.Join(other, "key")), write(t, filepath.Join(other, "visible"))
	inner := write(t, filepath.Join(other, "dir", "file"))
	link := filepath.Join(other, "link")
	if err := os.Symlink(key, link); err != nil {
		t.Fatal(err)
	}
	notes := func(proxy netip.AddrPort) (map[string][]byte, error) {
		return map[string][]byte{"note": []byte(proxy.String())}, nil
	}
	got := output(t, Options{Home: home, Notes: notes, Hide: []string{link, filepath.Join(other, "dir")}}, fmt.Sprintf(`
		cat %s 2>/dev/null || echo gone
		cat %s %s; echo
		ls %s
		ls %s; cat %[4]s/note; echo
		(: >%[4]s/new) 2>/dev/null || echo read-only
		umount %[4]s 2>/dev/null || echo stays
		grep nameserver /etc/resolv.conf
		pwd
	`, secret, key, visible, home, filepath.Dir(inner)))
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 8 || !strings.HasPrefix(lines[3], "127.0.0.1:") {
		t.Fatalf("got %q", lines)
	}
	lines[3] = ""
	if got, want := strings.Join(lines, " "), "gone open note  read-only stays nameserver 127.0.0.1 "+dir; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCommandHasNoPrivileges(t *testing.T) {
	got := output(t, Options{}, `grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; ls /proc/self/fd`)
	for line := range strings.Lines(got) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":\t")
		if want := map[string]string{"NoNewPrivs": "1", "Seccomp": "2"}[name]; found && want != "" && value != want || strings.HasPrefix(name, "Cap") && strings.Trim(value, "0") != "" {
			t.Errorf("%s", line)
		}
	}
}

func TestExecErrors(t *testing.T) {
	text := write(t, filepath.Join(t.TempDir(), "text"))
	for command, want := range map[string]error{"nosuchcommand": exec.ErrNotFound, text: fs.ErrPermission, "./none": fs.ErrNotExist} {
		f := fenced(t, Options{})
		if err := f.Exec([]string{command}, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", command, err, want)
		}
		f.Close()
	}
}

// Arguments and variables may have bytes that are not UTF-8.
func TestBytesOfArguments(t *testing.T) {
	var out bytes.Buffer
	f := fenced(t, Options{Streams: Streams{Out: &out}})
	if err := f.Exec([]string{"sh", "-c", `printf %s "$1$V"`, "sh", "a\xff\n"}, []string{"V=\xfe", "PATH=" + os.Getenv("PATH")}); err != nil {
		t.Fatal(err)
	}
	if err := f.Cmd.Wait(); err != nil || out.String() != "a\xff\n\xfe" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestUnusedFenceEnds(t *testing.T) {
	f := fenced(t, Options{})
	pid := f.Cmd.Process.Pid
	f.Close()
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("after Close: %v", err)
	}
}

func TestEnd(t *testing.T) {
	f := fenced(t, Options{})
	if err := f.Exec([]string{"sleep", "60"}, os.Environ()); err != nil {
		t.Fatal(err)
	}
	f.End()
	f.Cmd.Wait()
	if s := f.Cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != unix.SIGTERM {
		t.Errorf("ended with %v", f.Cmd.ProcessState)
	}
}

// Connections to any address arrive at the listeners.
func TestCapturedAddresses(t *testing.T) {
	f := fenced(t, Options{Ports: []int{8443}, Listen: []netip.AddrPort{netip.MustParseAddrPort("198.18.0.7:5432"), netip.MustParseAddrPort("[2001:db8::7]:5432")}})
	type arrival struct{ listener, at string }
	arrived := make(chan arrival, 8)
	for i, l := range append([]net.Listener{f.Proxy}, f.Captured...) {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				arrived <- arrival{fmt.Sprint(i), c.LocalAddr().String()}
				c.Close()
			}
		}()
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{"1.2.3.4:8443", "[2001:db8::1]:8443", "198.18.0.7:5432", "[2001:db8::7]:5432", f.Proxy.Addr().String()}
	if err := f.Exec([]string{self, "-test.run=TestDialer"}, append(os.Environ(), dialVariable+"="+strings.Join(targets, " "))); err != nil {
		t.Fatal(err)
	}
	if err := f.Cmd.Wait(); err != nil {
		t.Error(err)
	}
	for i, want := range []string{"1", "1", "2", "3", "0"} {
		select {
		case got := <-arrived:
			if got != (arrival{want, targets[i]}) {
				t.Errorf("%v, want %s %s", got, want, targets[i])
			}
		case <-time.After(limit):
			t.Fatalf("no connection to %s", targets[i])
		}
	}
}

const dialVariable = "ISOLATE_TEST_DIAL"

// TestDialer is what other tests run inside: it connects to addresses, one after the other.
func TestDialer(t *testing.T) {
	for _, to := range strings.Fields(os.Getenv(dialVariable)) {
		c, err := net.DialTimeout("tcp", to, limit)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, c)
		c.Close()
	}
}

const serveVariable = "ISOLATE_TEST_SERVE"

// TestServer is what other tests run inside: it returns what clients send.
func TestServer(t *testing.T) {
	address := os.Getenv(serveVariable)
	if address == "" {
		return
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

// More clients than spare sockets are served one after the other.
func TestPublish(t *testing.T) {
	for _, address := range []string{"127.0.0.1:3000", "[::1]:3000"} {
		ready, inside := io.Pipe()
		f := fenced(t, Options{Spare: 2, Streams: Streams{Out: inside}})
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Exec([]string{self, "-test.run=TestServer"}, append(os.Environ(), serveVariable+"="+address)); err != nil {
			t.Fatal(err)
		}
		go f.Cmd.Wait()
		if _, err := io.ReadFull(ready, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, ready)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- f.Publish(l, 3000) }()
		var clients sync.WaitGroup
		for i := range 20 {
			clients.Go(func() {
				text := bytes.Repeat([]byte{byte(i)}, 100_000)
				if got, err := echoed(l.Addr().String(), text); err != nil || !bytes.Equal(got, text) {
					t.Errorf("client %d got %d bytes, %v", i, len(got), err)
				}
			})
		}
		clients.Wait()
		l.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		f.End()
	}
}

// echoed sends a text to a server and returns what it answers.
func echoed(address string, text []byte) ([]byte, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	go func() {
		c.Write(text)
		c.(*net.TCPConn).CloseWrite()
	}()
	return io.ReadAll(c)
}
