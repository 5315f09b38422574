package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const banner = "SSH-2.0-test\r\n"

// serveBanner listens on this machine's loopback, speaks first, and then echoes. It
// returns the port.
func serveBanner(t *testing.T) string {
	t.Helper()
	return serveTCP(t, func(c net.Conn) {
		io.WriteString(c, banner)
		io.Copy(c, c)
	})
}

// serveTCP serves connections to a port of this machine's loopback, and returns the port.
func serveTCP(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// readBanner waits for a banner, sends a line, and prints both.
func readBanner(host, port string) string {
	return fmt.Sprintf(`python3 -c "
import socket
s = socket.create_connection(('%s', %s), 20)
b = s.recv(100)
s.send(b'hello\n')
s.shutdown(socket.SHUT_WR)
while part := s.recv(100): b += part
print(b)"
`, host, port)
}

// TestIsolatedAllowTCP opens targets whose servers speak first, as no web server does.
func TestIsolatedAllowTCP(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	port := serveBanner(t)
	name := "banner.test"
	toName := fmt.Sprintf("--connect-to=%s:%s:127.0.0.1:%s", name, port, port)
	const echoed = `b'SSH-2.0-test\r\nhello\n'`
	for _, tt := range []struct{ name, host, allowed string }{
		{"by name", name, name},
		{"by its letters in the other case", strings.ToUpper(name), name},
		{"loopback by name", "localhost", "localhost"},
		{"loopback by IPv4 address", "127.0.0.1", "localhost"},
		{"loopback by IPv6 address", "::1", "localhost"},
		{"by address", "127.0.0.1", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			i := r.isolate(readBanner(tt.host, port), toName, "--allow-tcp="+net.JoinHostPort(tt.allowed, port))
			if !strings.Contains(i.out, echoed) || strings.Contains(i.report, "blocked") {
				t.Errorf("%s%s", i.out, i.report)
			}
		})
	}
	t.Run("another host on the same port", func(t *testing.T) {
		r.t = t
		i := r.isolate(readBanner("another.test", port)+"true", toName, "--allow-tcp="+net.JoinHostPort(name, port))
		want := fmt.Sprintf("authsome: blocked: 1 connection to another.test:%s; allow with --allow-tcp another.test:%s\n", port, port)
		if !strings.Contains(i.out, "ConnectionRefusedError") || i.report != want {
			t.Errorf("%s%s", i.out, i.report)
		}
	})
	// Without the flag, localhost is that of the isolated command.
	t.Run("loopback without the flag", func(t *testing.T) {
		r.t = t
		i := r.isolate(readBanner("localhost", port) + "true")
		want := fmt.Sprintf("to localhost:%s; allow with --allow-tcp localhost:%s\n", port, port)
		if !strings.Contains(i.out, "ConnectionRefusedError") || !strings.HasSuffix(i.report, want) {
			t.Errorf("%s%s", i.out, i.report)
		}
	})
}

// TestIsolatedHostsFile opens a target whose address is in /etc/hosts: a client does not
// ask our DNS for it.
func TestIsolatedHostsFile(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	port := serveBanner(t)
	hosts := filepath.Join(r.tmp, "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n192.0.2.44 listed.test\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := r.command(nil, "--isolate", "--allow-tcp=listed.test:"+port, "--connect-to=listed.test:"+port+":127.0.0.1:"+port,
		"sh", "-c", "getent hosts listed.test; "+readBanner("listed.test", port))
	const covered = `mount --bind hosts /etc/hosts && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"`
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-euc", covered, "sh"}, run.Args...)...)
	cmd.Env, cmd.Dir = run.Env, run.Dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "192.0.2.44 ") || !strings.Contains(string(out), "SSH-2.0-test") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestIsolatedGitOverSSH clones and pushes with the real programs for SSH.
func TestIsolatedGitOverSSH(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	sshd := need(t, "/usr/sbin/sshd")
	const setUp = `mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host-key
setpriv --reuid=65534 --regid=65534 --clear-groups ssh-keygen -q -t ed25519 -N '' -f key
git init -q source
git -C source -c user.name=e2e -c user.email=e2e@example.com commit -q --allow-empty -m 'hello from the repository'
git clone -q --bare source project.git`
	cmd := exec.Command("sh", "-euc", setUp)
	cmd.Dir, cmd.Env = r.tmp, r.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config := filepath.Join(r.tmp, "sshd_config")
	text := "HostKey host-key\nAuthorizedKeysFile " + filepath.Join(r.tmp, "key.pub") + "\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nForceCommand sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	port := serveTCP(t, func(c net.Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		server := exec.CommandContext(ctx, sshd, "-i", "-f", config)
		server.Dir, server.Stdin, server.Stdout = r.tmp, c, c
		server.Run()
	})
	const host = "git.test"
	ssh := "ssh -p 22 -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=known -o IdentitiesOnly=yes"
	script := fmt.Sprintf(`set -e; export GIT_SSH_COMMAND='%s'
git clone -q ssh://root@%s%s/project.git clone
git -C clone log
cd clone
GIT_SSH_COMMAND="$GIT_SSH_COMMAND -i ../key -o UserKnownHostsFile=../known"
git -c user.name=e2e -c user.email=e2e@example.com commit -q --allow-empty -m 'hello from inside'
git push -q`, ssh, host, r.tmp)
	i := r.isolate(script, "--allow-tcp="+host+":22", fmt.Sprintf("--connect-to=%s:22:127.0.0.1:%s", host, port))
	if i.exit != 0 || !strings.Contains(i.out, "hello from the repository") || strings.Contains(i.report, "blocked") {
		t.Fatalf("exit %d: %s%s", i.exit, i.out, i.report)
	}
	out, err := exec.Command("git", "--git-dir", filepath.Join(r.tmp, "project.git"), "log").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "hello from inside") {
		t.Errorf("after the push: %v: %s", err, out)
	}
}
