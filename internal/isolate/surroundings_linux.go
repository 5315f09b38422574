package isolate

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// This file finds what gives a process of the user a way to other processes: sockets of
// services and agents, and devices.

// runtimeDirs are the directories of the sockets of a user's own services, such as the
// session bus.
func runtimeDirs(getenv func(string) string) []string {
	own := filepath.Join("/run/user", strconv.Itoa(os.Geteuid()))
	var all []string
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), own} {
		resolved, err := filepath.EvalSymlinks(dir)
		if dir == "" || err != nil || slices.Contains(all, resolved) {
			continue
		}
		if info, err := os.Stat(resolved); err == nil && info.IsDir() && resolved != "/" {
			all = append(all, resolved)
		}
	}
	return all
}

// harmlessSockets are those of services that name users and take log lines. Without them,
// programs may not know the user's name. All other sockets are covered.
var harmlessSockets = []string{
	"/run/systemd/userdb/", "/var/lib/sss/pipes/nss", "/run/systemd/journal/", "/dev/log", "/run/systemd/notify",
}

// openSockets returns the Unix sockets that this user can connect to, as far as the kernel
// and the environment name them.
func openSockets(getenv func(string) string, allowed []string) ([]string, error) {
	bound, err := boundSockets()
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, path := range slices.Concat(bound, socketsBeside(bound), namedSockets(getenv), socketsIn(socketDirs(getenv))) {
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil || isHarmless(resolved) || slices.Contains(allowed, resolved) {
			continue
		}
		info, err := os.Lstat(resolved)
		if err == nil && info.Mode().Type() == fs.ModeSocket && unix.Access(resolved, unix.W_OK) == nil {
			found[resolved] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func isHarmless(socket string) bool {
	return slices.ContainsFunc(harmlessSockets, func(s string) bool {
		return socket == s || strings.HasSuffix(s, "/") && strings.HasPrefix(socket, s)
	})
}

// boundSockets returns the paths of the sockets in every network namespace: a socket with a
// path can be connected to from all of them, and each has its own table.
func boundSockets() ([]string, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []string
	read := make(map[uint64]bool) // by inode, which differs between namespaces
	for _, name := range append(names, "self") {
		table := "/proc/" + name + "/net/unix"
		var s unix.Stat_t
		if unix.Stat(table, &s) == nil && read[s.Ino] {
			continue
		}
		text, err := os.ReadFile(table)
		if err != nil && name == "self" {
			return nil, err
		}
		if err != nil { // it is not a process, or it has ended
			continue
		}
		read[s.Ino] = true
		all = append(all, boundPaths(text)...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// boundPaths returns the paths in /proc/net/unix: of sockets that wait for connections or
// datagrams. The path is the last column, see proc_net(5); connections have the path of the
// listener, so most occur more than once.
func boundPaths(table []byte) []string {
	const columns = 7 // before it
	var all []string
	for line := range strings.Lines(string(table)) {
		line = strings.TrimSuffix(line, "\n")
		for range columns {
			_, line, _ = strings.Cut(strings.TrimLeft(line, " "), " ")
		}
		if line != "" && line != "Path" && !strings.HasPrefix(line, "@") { // the heading, and abstract names
			all = append(all, line)
		}
	}
	return all
}

// socketsBeside returns the sockets in the directories of bound ones. The kernel has the
// path at which a socket was bound: it may have been renamed, or it may be relative to the
// working directory of a process.
func socketsBeside(bound []string) []string {
	dirs := make(map[string]bool)
	var relative []string
	for _, path := range bound {
		if filepath.IsAbs(path) {
			dirs[filepath.Dir(path)] = true
		} else {
			relative = append(relative, path)
		}
	}
	if len(relative) > 0 {
		processes, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is valid
		for _, link := range processes {
			if dir, err := os.Readlink(link); err == nil {
				for _, path := range relative {
					dirs[filepath.Dir(filepath.Join(dir, path))] = true
				}
			}
		}
	}
	var all []string
	for dir := range dirs {
		for _, e := range entriesOf(dir) {
			if e.Type() == fs.ModeSocket {
				all = append(all, filepath.Join(dir, e.Name()))
			}
		}
	}
	return all
}

// namedSockets returns the sockets that variables lead to. The system may hide the processes
// of others, and with them the tables that have these sockets.
func namedSockets(getenv func(string) string) []string {
	var all []string
	for _, name := range []string{"SSH_AUTH_SOCK", "DOCKER_HOST", "CONTAINER_HOST", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "GPG_AGENT_INFO",
		"TMUX", "WAYLAND_DISPLAY", "VSCODE_IPC_HOOK_CLI", "VSCODE_GIT_IPC_HANDLE", "NVIM", "NVIM_LISTEN_ADDRESS", "KITTY_LISTEN_ON", "WEZTERM_UNIX_SOCKET", "PULSE_SERVER", "I3SOCK", "SWAYSOCK"} {
		// A path in all forms: alone, with a scheme or a key before it, and with more after it.
		value := getenv(name)
		if i := strings.IndexByte(value, '/'); i >= 0 {
			value = strings.TrimPrefix(value[i:], "//")
			end := strings.IndexAny(value, ",;:")
			if end < 0 {
				end = len(value)
			}
			all = append(all, value[:end])
		}
	}
	return append(all, "/var/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock")
}

// socketDirs are directories in which programs keep sockets of the user.
func socketDirs(getenv func(string) string) []string {
	uid := strconv.Itoa(os.Geteuid())
	dirs := []string{"/tmp", "/tmp/tmux-" + uid, "/tmp/.X11-unix", "/tmp/.ICE-unix", "/run/screen/S-" + getenv("USER"), filepath.Join("/run/user", uid)}
	if home := getenv("HOME"); home != "" {
		for _, name := range []string{".gnupg", ".ssh", ".screen", ".docker/run", ".docker/desktop", ".colima/default", ".lima", ".1password", ".gradle"} {
			dirs = append(dirs, filepath.Join(home, name))
		}
	}
	for _, name := range []string{"TMPDIR", "TMUX_TMPDIR", "SCREENDIR", "GNUPGHOME"} {
		if dir := getenv(name); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// maxEntries limits the entries of one directory that are looked at.
const maxEntries = 4096

// socketsIn returns the sockets in directories, and in the directories that these have.
func socketsIn(dirs []string) []string {
	var all []string
	for _, dir := range dirs {
		for _, e := range entriesOf(dir) {
			path := filepath.Join(dir, e.Name())
			switch {
			case e.Type() == fs.ModeSocket:
				all = append(all, path)
			case e.IsDir():
				for _, inner := range entriesOf(path) {
					if inner.Type() == fs.ModeSocket {
						all = append(all, filepath.Join(path, inner.Name()))
					}
				}
			}
		}
	}
	return all
}

// entriesOf returns the entries of a directory as far as they can be read.
func entriesOf(dir string) []fs.DirEntry {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxEntries)
	return entries
}

// openDevices returns the devices that let this user read a disk or the memory, type into
// other programs, or read what is typed there. An ordinary user can open few of these: the
// user's other terminals.
func openDevices() ([]string, error) {
	own := ownTerminals()
	var all []string
	err := filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if d.IsDir() {
			if path == "/dev/shm" || path == "/dev/mqueue" || path == "/dev/hugepages" {
				return fs.SkipDir // files of users
			}
			return nil
		}
		if t := d.Type(); t&fs.ModeDevice == 0 || t&fs.ModeCharDevice != 0 && !isRevealing(path) || slices.Contains(own, path) {
			return nil
		}
		if unix.Access(path, unix.R_OK) == nil || unix.Access(path, unix.W_OK) == nil {
			all = append(all, path)
		}
		return nil
	})
	return all, err
}

// revealing begins the names of such devices below /dev, other than block devices.
var revealing = []string{"bsg/", "hidraw", "input/", "kmem", "mem", "ng", "nvme", "port", "pts/", "sg", "tty", "uhid", "uinput", "vcs", "vhost-vsock", "vsock"}

func isRevealing(path string) bool {
	name := strings.TrimPrefix(path, "/dev/")
	if name == "tty" || name == "pts/ptmx" { // each process gets its own terminal by these names
		return false
	}
	return slices.ContainsFunc(revealing, func(start string) bool { return strings.HasPrefix(name, start) })
}

// ownTerminals are the terminals that the command gets, by their names.
func ownTerminals() []string {
	var all []string
	for fd := range 3 {
		if path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err == nil {
			all = append(all, path)
		}
	}
	if tty, err := controllingTerminal(); err == nil {
		all = append(all, tty)
	}
	return all
}

// ownTerminal is the pseudoterminal of the command, or "".
func ownTerminal() string {
	all := ownTerminals()
	slices.Reverse(all) // the controlling one, if there is one, and otherwise a standard stream
	i := slices.IndexFunc(all, func(path string) bool { return isBelow(path, "/dev/pts") })
	if i < 0 {
		return ""
	}
	return all[i]
}

// controllingTerminal returns the name of this process's terminal: /dev/pts/N, or none.
func controllingTerminal() (string, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "", err
	}
	// After the name of the program, which ends with the last parenthesis, the terminal is
	// the fifth field; see proc_pid_stat(5).
	rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(rest) < 5 {
		return "", errors.New("unexpected form of /proc/self/stat")
	}
	n, err := strconv.ParseUint(rest[4], 10, 32)
	if err != nil || n == 0 {
		return "", errors.New("no terminal")
	}
	const firstPTY, majors = 136, 8 // UNIX98_PTY_SLAVE_MAJOR in linux/major.h
	major, minor := unix.Major(n), unix.Minor(n)
	switch {
	case major >= firstPTY && major < firstPTY+majors:
		return "/dev/pts/" + strconv.Itoa(int(minor)), nil
	case major == 4: // TTY_MAJOR
		return "/dev/tty" + strconv.Itoa(int(minor)), nil
	}
	return "", errors.New("unknown kind of terminal")
}
