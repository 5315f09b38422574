package isolate

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	mounts, err := parseMounts([]byte("40 27 254:0 /home/ann /srv/my\\040files rw,relatime shared:1 - ext4 /dev/vda rw\n28 27 0:30 / /proc rw - proc proc rw\n"))
	if err != nil || !slices.Equal(mounts, []mount{{"254:0", "/home/ann", "/srv/my files", "ext4"}, {"0:30", "/", "/proc", "proc"}}) {
		t.Errorf("%+v, %v", mounts, err)
	}
	for _, text := range []string{"27 1 254:0\n", "27 1 254:0 / / rw shared:1 ext4 /dev/vda rw\n", "27 1 254:0 / / rw -\n"} {
		if _, err := parseMounts([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestBoundPaths(t *testing.T) {
	const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 21354 /run/service.sock
0000000000000000: 00000003 00000000 00000000 0001 03   354
0000000000000000: 00000002 00000000 00000000 0002 01 21355 @abstract
0000000000000000: 00000002 00000000 00000000 0002 01 21356 relative.sock
0000000000000000: 00000002 00000000 00010000 0001 01 21357 /run/with a space
`
	want := []string{"/run/service.sock", "relative.sock", "/run/with a space"}
	if got := boundPaths([]byte(table)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNamedSockets(t *testing.T) {
	variables := map[string]string{
		"SSH_AUTH_SOCK": "/tmp/ssh-x/agent.1", "DOCKER_HOST": "unix:///run/d.sock", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/tmp/bus,guid=1", "TMUX": "/tmp/tmux-1/default,123,0",
		"GPG_AGENT_INFO": "/tmp/gpg/S.agent:12:1", "CONTAINER_HOST": "ssh://user@host", "NVIM": "x",
	}
	got := namedSockets(func(name string) string { return variables[name] })
	for _, want := range []string{"/tmp/ssh-x/agent.1", "/run/d.sock", "/tmp/bus", "/tmp/tmux-1/default", "/tmp/gpg/S.agent"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q has no %s", got, want)
		}
	}
}

func TestRevealingDevices(t *testing.T) {
	for path, want := range map[string]bool{
		"/dev/mem": true, "/dev/sg0": true, "/dev/input/event3": true, "/dev/pts/4": true, "/dev/tty1": true, "/dev/uinput": true, "/dev/nvme0": true,
		"/dev/tty": false, "/dev/pts/ptmx": false, "/dev/null": false, "/dev/urandom": false, "/dev/kvm": false, "/dev/dri/card0": false, "/dev/fuse": false,
	} {
		if got := isRevealing(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// A path below a directory can lead through a link to it.
func TestBelowResolved(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(dir, "real")
	got := belowResolved([]string{filepath.Join(dir, "link/a/b"), filepath.Join(real, "c"), real, "/usr/bin", "", "relative"}, real)
	if want := real + "/a/b " + real + "/c"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Directories that have only sockets are replaced, except for those that the command needs.
func TestOnlySockets(t *testing.T) {
	dir := t.TempDir()
	var sockets []string
	for _, name := range []string{"own", "work", "mixed"} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(sub, "s"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		sockets = append(sockets, l.Addr().String())
	}
	write(t, filepath.Join(dir, "mixed", "file"))
	env := map[string]string{"TMUX_TMPDIR": filepath.Join(dir, "none")}
	got := onlySockets(func(name string) string { return env[name] }, sockets, []string{filepath.Join(dir, "work")})
	if want := []string{filepath.Join(dir, "own")}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What the command cannot do without must not be hidden.
func TestNeededDirectories(t *testing.T) {
	hidden := t.TempDir()
	tmp := filepath.Join(hidden, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	o := Options{Home: t.TempDir(), Hide: []string{hidden}, Getenv: func(string) string { return "" }}
	if _, err := o.plan(); err != nil {
		t.Fatal(err)
	}
	t.Run("temporary files", func(t *testing.T) {
		t.Setenv("TMPDIR", tmp)
		if _, err := o.plan(); err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
			t.Errorf("%v", err)
		}
	})
	t.Run("runtime files", func(t *testing.T) {
		t.Setenv("TMPDIR", tmp)
		o := Options{Home: o.Home, Getenv: func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": tmp}[name] }}
		if _, err := o.plan(); err == nil || !strings.Contains(err.Error(), "TMPDIR is "+tmp) {
			t.Errorf("%v", err)
		}
	})
	t.Run("working directory", func(t *testing.T) {
		t.Chdir(tmp)
		if _, err := o.plan(); err == nil || !strings.Contains(err.Error(), "working directory is in "+hidden) {
			t.Errorf("%v", err)
		}
	})
}
