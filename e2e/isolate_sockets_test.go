package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unixSockets are the sockets of the neighbor: names, and paths below the user's directory
// if they are not absolute. RUN is the directory of runtime files, UID the user.
var unixSockets = map[string]string{
	"service":                  "a/directory/deep/below/service.sock",
	"ssh-agent":                "agent/ssh.sock",
	"docker":                   "docker/docker.sock",
	"session bus":              "session/bus",
	"runtime bus":              "RUN/bus",
	"runtime":                  "RUN/app/app.sock",
	"tmux":                     "/tmp/tmux-UID/default",
	"link target":              "linked/real.sock",
	"made again":               "again/again.sock",
	"made again beside a file": "renamed/again.sock",
	"allowed":                  "allowed/allowed.sock",
	"allowed too":              "RUN/allowed.sock",
	"with a space":             "a space/and a \\ and a , in.sock",
	"long":                     "long/" + strings.Repeat("l", 40) + "/s",
}

// lateSockets are those that the neighbor makes when the command runs.
var lateSockets = map[string]string{
	"made again":               unixSockets["made again"],
	"made again beside a file": unixSockets["made again beside a file"],
	"made later":               "later/later.sock",
	"made later in TMPDIR":     "tmp/ssh-XXXX/agent.1",
	"made later as runtime":    "RUN/later.sock",
	"made later by tmux":       "/tmp/tmux-UID/later",
	"made later in new /tmp":   "/tmp/new-UID/later",
}

var socketScene = scene{arrange: arrangeSockets, late: listenLater, attacks: socketAttacks()}

func socketAttacks() []attack {
	connect := func(name string) func(*yard) error {
		return func(y *yard) error { return greeted("unix", y.Paths[name]) }
	}
	var all []attack
	for _, name := range []string{"service", "ssh-agent", "docker", "session bus", "runtime bus", "runtime", "tmux", "link target", "with a space", "long", "relative", "renamed", "hard link", "unlisted", "unlisted agent",
		"made again", "made later as runtime", "made later by tmux"} {
		all = append(all, attack{name: "connect to " + name, do: connect(name)})
	}
	for _, name := range []string{"made again beside a file", "made later", "made later in TMPDIR", "made later in new /tmp"} {
		all = append(all, attack{name: "connect to " + name, limit: true, do: connect(name)})
	}
	return append(all, []attack{
		{name: "connect through a link", do: connect("link")},
		{name: "connect through an alias", do: connect("alias")},
		{name: "connect to allowed", open: true, do: connect("allowed")},
		{name: "connect to allowed too", open: true, do: connect("allowed too")},
		{name: "send a datagram", do: func(y *yard) error { return echoed(y.Paths["datagram"]) }},
		{name: "connect to an abstract socket", do: func(y *yard) error { return greeted("unix", y.Paths["abstract"]) }},
		{name: "connect to an abstract socket in a nested namespace", nested: mounts, do: func(y *yard) error { return greeted("unix", y.Paths["abstract"]) }},
		{name: "send a datagram to an abstract socket", do: func(y *yard) error { return echoed(y.Paths["abstract datagram"]) }},
		{name: "uncover a socket in a nested namespace", nested: mounts, do: func(y *yard) error {
			unix.Unmount(y.Paths["service"], unix.MNT_DETACH)
			return greeted("unix", y.Paths["service"])
		}},
		{name: "uncover the directory of runtime files", nested: mounts, do: func(y *yard) error {
			unix.Unmount(filepath.Dir(y.Paths["runtime bus"]), unix.MNT_DETACH)
			return greeted("unix", y.Paths["runtime bus"])
		}},
		{name: "connect through the root of the neighbor", do: func(y *yard) error { return greeted("unix", proc(y.Neighbor.PID, "root", y.Paths["long"])) }},
		{name: "connect by a descriptor of the neighbor", do: func(y *yard) error { return greeted("unix", proc(y.Neighbor.PID, "cwd")+"/../../agent/ssh.sock") }},

		{name: "use an inherited connection", do: func(y *yard) error { return readFrom(y.fd("connection")) }},
		{name: "use an inherited TCP connection", do: func(y *yard) error { return readFrom(y.fd("TCP connection")) }},
		{name: "accept on an inherited listener", do: func(y *yard) error {
			unix.SetNonblock(y.fd("listener"), true)
			if fd, _, err := unix.Accept(y.fd("listener")); err == nil {
				return unix.Close(fd)
			} else if !errors.Is(err, unix.EAGAIN) {
				return err
			}
			return nil
		}},
		{name: "use an inherited epoll", do: func(y *yard) error { return unix.EpollCtl(y.fd("epoll"), unix.EPOLL_CTL_ADD, 0, &unix.EpollEvent{}) }},
		{name: "keep an inherited pipe", open: true, do: func(y *yard) error { return readFrom(y.fd("pipe")) }},
		{name: "keep an inherited file", open: true, do: func(y *yard) error { return contains(fmt.Sprintf("/proc/self/fd/%d", y.fd("file")), "text") }},

		{name: "run a program of a directory in PATH below the runtime directory", open: true, do: func(y *yard) error { return run(filepath.Join(y.Paths["directory in PATH"], "tool")) }},
		{name: "run a program of a link in PATH below the runtime directory", open: true, do: func(y *yard) error { return run(filepath.Join(y.Paths["link in PATH"], "tool")) }},
		{name: "write into the runtime directory", open: true, do: func(y *yard) error {
			path := filepath.Join(filepath.Dir(y.Paths["runtime bus"]), "written")
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Remove(path))
		}},
		{name: "use sockets inside", open: true, do: func(y *yard) error {
			path := filepath.Join(y.Work, "inside.sock")
			return errors.Join(request{"unix", path}.serve(), greeted("unix", path), request{"unix", "@inside-" + filepath.Base(y.Dir)}.serve(), greeted("unix", "@inside-"+filepath.Base(y.Dir)))
		}},
	}...)
}

// greeted succeeds if a server outside greets.
func greeted(network, address string) error {
	c, err := net.DialTimeout(network, address, answerTime)
	if err != nil {
		return err
	}
	defer c.Close()
	return expectGreeting(c)
}

func expectGreeting(c net.Conn) error {
	c.SetDeadline(time.Now().Add(answerTime))
	b := make([]byte, len(greeting))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != greeting {
		return fmt.Errorf("read %q: %v", b[:n], err)
	}
	return nil
}

// echoed sends a datagram. The socket has a name of the kernel's choice for the answer.
func echoed(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte("x")); err != nil {
		return err
	}
	return readFrom(fd)
}

func readFrom(fd int) error {
	b := make([]byte, 100)
	n, err := unix.Read(fd, b)
	if err == nil && n == 0 {
		return io.EOF
	}
	return err
}

func (k *yardkeeper) expand(path string) string {
	path = strings.NewReplacer("RUN", k.runtimeDir(), "UID", strconv.Itoa(k.UID)).Replace(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(k.Dir, path)
	}
	return path
}

// listen has a neighbor listen, in a directory of the user.
func (k *yardkeeper) listen(p *neighborProcess, name, path string) {
	k.Paths[name] = k.expand(path)
	dir := filepath.Dir(k.Paths[name])
	check(os.MkdirAll(dir, 0o700))
	for ; dir != k.Dir && dir != "/tmp" && dir != "/run/user"; dir = filepath.Dir(dir) {
		check(os.Chown(dir, k.UID, k.UID))
	}
	p.listen("unix", k.Paths[name])
}

func arrangeSockets(k *yardkeeper) {
	for name, path := range unixSockets {
		k.listen(k.neighbor, name, path)
	}
	k.Paths["datagram"] = k.expand("a/datagram.sock")
	k.neighbor.listen("unixgram", k.Paths["datagram"])
	k.Paths["abstract"] = "@abstract-" + filepath.Base(k.spec.Dir)
	k.neighbor.listen("unix", k.Paths["abstract"])
	k.Paths["abstract datagram"] = "@datagram-" + filepath.Base(k.spec.Dir)
	k.neighbor.listen("unixgram", k.Paths["abstract datagram"])
	far, err := k.startNeighbor(syscall.CLONE_NEWNET) // which the kernel's list of sockets does not have here
	check(err)
	k.listen(far, "unlisted", "a/directory/deep/below/unlisted.sock")
	k.listen(far, "unlisted agent", "agent/unlisted.sock")

	// A directory that has only sockets is covered as a whole. These have more.
	for _, path := range []string{"a/directory/deep/below/README", "renamed/README", "cwd/README"} {
		check(os.MkdirAll(filepath.Dir(k.expand(path)), 0o755))
		check(os.WriteFile(k.expand(path), nil, 0o644))
	}
	k.listen(k.neighbor, "before renaming", "renamed/before.sock")
	k.Paths["renamed"] = k.expand("renamed/after.sock")
	check(os.Rename(k.Paths["before renaming"], k.Paths["renamed"]))
	check(os.Link(k.Paths["service"], k.expand("a/directory/deep/below/hard.sock")))
	k.Paths["hard link"] = k.expand("a/directory/deep/below/hard.sock")
	check(run("chown", strconv.Itoa(k.UID), k.expand("cwd")))
	relative, err := k.startNeighbor() // which is for this only
	check(err)
	relative.listen("chdir", k.expand("cwd"))
	relative.listen("unix", "relative.sock")
	k.Paths["relative"] = k.expand("cwd/relative.sock")

	k.Paths["link"] = k.expand("link.sock")
	check(os.Symlink(k.Paths["link target"], k.Paths["link"]))
	alias := k.expand("alias")
	check(os.Mkdir(alias, 0o755))
	check(unix.Mount(filepath.Dir(k.Paths["service"]), alias, "", unix.MS_BIND, ""))
	k.Paths["alias"] = filepath.Join(alias, "service.sock")
	k.flags = append(k.flags, "--allow-socket", k.Paths["allowed"], "--allow-socket", k.Paths["allowed too"])
	k.env = append(k.env, "SSH_AUTH_SOCK="+k.Paths["ssh-agent"], "DOCKER_HOST=unix://"+k.Paths["docker"],
		"DBUS_SESSION_BUS_ADDRESS=unix:path="+k.Paths["session bus"]+",guid=0123", "NVIM="+k.Paths["unlisted agent"])
	k.arrangePath()
	k.arrangeDescriptors()
}

// arrangePath makes directories of programs where fnm makes them.
func (k *yardkeeper) arrangePath() {
	k.Paths["directory in PATH"], k.Paths["link in PATH"] = k.expand("RUN/tools/bin"), k.expand("RUN/multishells/1/bin")
	elsewhere := k.expand("versions/bin")
	tool := []byte("#!/bin/sh\nexit 0\n")
	for _, dir := range []string{k.Paths["directory in PATH"], elsewhere, k.expand("RUN/multishells")} {
		check(os.MkdirAll(dir, 0o755))
		check(os.WriteFile(filepath.Join(dir, "tool"), tool, 0o755))
	}
	check(os.Symlink(filepath.Dir(elsewhere), filepath.Dir(k.Paths["link in PATH"])))
	for _, dir := range []string{k.runtimeDir(), filepath.Dir(elsewhere)} {
		check(run("chown", "-hR", strconv.Itoa(k.UID), dir))
	}
	k.env = append(k.env, "PATH="+k.Paths["directory in PATH"]+":"+k.Paths["link in PATH"]+":"+systemPath)
}

// arrangeDescriptors has the command inherit descriptors that lead out of the fence, and
// some that do not.
func (k *yardkeeper) arrangeDescriptors() {
	for _, network := range []string{"connection", "TCP connection"} {
		var l net.Listener
		var err error
		if network == "connection" {
			l, err = net.Listen("unix", k.expand("inherited.sock"))
		} else {
			l, err = net.Listen("tcp", "127.0.0.1:0")
		}
		check(err)
		go greetAll(l, nil)
		c, err := net.Dial(l.Addr().Network(), l.Addr().String())
		check(err)
		f, err := c.(interface{ File() (*os.File, error) }).File()
		check(err)
		k.inheritFile(network, f)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	f, err := l.(*net.TCPListener).File()
	check(err)
	k.inheritFile("listener", f)
	epoll, err := unix.EpollCreate1(0)
	check(err)
	k.inheritFile("epoll", os.NewFile(uintptr(epoll), "epoll"))
	r, w, err := os.Pipe()
	check(err)
	_, err = w.WriteString(strings.Repeat("x", 1000))
	check(err)
	k.inheritFile("pipe", r)
	check(os.WriteFile(k.expand("inherited.txt"), []byte("text"), 0o644))
	k.inherit("file", k.expand("inherited.txt"), unix.O_RDONLY)
}

// greetAll greets every client.
func greetAll(l net.Listener, note func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if note != nil {
			note(c)
		}
		go func() {
			c.Write([]byte(greeting))
			io.Copy(io.Discard, c)
			c.Close()
		}()
	}
}

func listenLater(k *yardkeeper) {
	for name, path := range lateSockets {
		k.listen(k.neighbor, name, path)
	}
}
