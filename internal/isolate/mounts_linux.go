package isolate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// cover hides what the plan says, in the mount namespace of this process. Mounts of a
// more privileged namespace are locked: no descendant can remove what is mounted here,
// not even in a separate namespace.
func cover(p *plan) error {
	// Nothing that is mounted outside later shows up here.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	home, err := os.Stat(p.Home)
	if err != nil {
		return err
	}
	others, err := aliases(slices.Concat(p.Hide, p.Private, []string{p.Home}))
	if err != nil {
		return err
	}
	if err := replaceResolver(p.Home); err != nil {
		return err
	}
	for _, dir := range p.Private {
		if err := replaceDirectory(dir, within(p.Keep, dir), within(p.Sockets, dir)); err != nil {
			return err
		}
	}
	if err := replaceTerminals(p.Terminal); err != nil {
		return err
	}
	if err := os.MkdirAll(p.Home, 0o700); err != nil { // it may have been below one of these
		return err
	}
	for _, path := range slices.Concat(p.Hide, others) {
		if err := hide(path); err != nil {
			return err
		}
	}
	if err := coverDirectory(p.Home, p.Notes); err != nil {
		return err
	}
	if now, err := os.Stat(p.Home); err != nil || os.SameFile(home, now) {
		return fmt.Errorf("%s is still visible", p.Home)
	}
	// A message queue that is opened by its path is usable in every namespace.
	if err := replaceKind("mqueue", coverFlags, ""); err != nil {
		return err
	}
	if err := protectGroups(); err != nil {
		return err
	}
	if p.UID == 0 {
		return protectSystem()
	}
	return nil
}

// coverFlags are those of the empty directories that cover others.
const coverFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// coverDirectory mounts an empty directory over another one, with only these files.
func coverDirectory(dir string, files map[string][]byte) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", coverFlags, "size=256k,mode=0700"); err != nil {
		return fmt.Errorf("cover %s: %w", dir, err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o444); err != nil {
			return err
		}
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|coverFlags, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", dir, err)
	}
	return nil
}

// hide covers a directory by an empty one, and a file of any kind by /dev/null. What has
// just been removed, or is below something that is hidden, needs no cover.
func hide(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return coverDirectory(path, nil)
	}
	if err := bind(os.DevNull, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cover %s: %w", path, err)
	}
	return nil
}

// bind shows at the path to what is at the path from.
func bind(from, to string) error {
	return unix.Mount(from, to, "", unix.MS_BIND, "")
}

// replaceDirectory covers a directory by an empty one that can be written, and shows in
// it again what is kept.
func replaceDirectory(dir string, keep, sockets []string) error {
	type kept struct {
		path string
		file *os.File
		dir  bool
	}
	var all []kept
	for _, path := range slices.Concat(keep, sockets) {
		f, err := os.OpenFile(path, unix.O_PATH, 0) // follows links: what is kept may be one
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		all = append(all, kept{path, f, info.IsDir()})
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700"); err != nil {
		return fmt.Errorf("cover %s: %w", dir, err)
	}
	for _, k := range all {
		at := k.path
		if !k.dir {
			at = filepath.Dir(at)
		}
		if err := os.MkdirAll(at, 0o700); err != nil {
			return err
		}
		if !k.dir {
			if err := os.WriteFile(k.path, nil, 0o600); err != nil {
				return err
			}
		}
		if err := bind(fmt.Sprintf("/proc/self/fd/%d", k.file.Fd()), k.path); err != nil {
			return fmt.Errorf("keep %s: %w", k.path, err)
		}
	}
	return nil
}

// replaceTerminals gives the command separate pseudoterminals: those that the user opens
// later are not among them. Its own terminal gets the name that containers use.
func replaceTerminals(own string) error {
	terminal := -1
	if own != "" {
		var err error
		if terminal, err = unix.Open(own, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
		defer unix.Close(terminal)
	}
	if err := replaceKind("devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	if own == "" {
		return nil
	}
	if err := bind(fmt.Sprintf("/proc/self/fd/%d", terminal), "/dev/console"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}

// replaceKind mounts a new file system over each one of a kind.
func replaceKind(kind string, flags uintptr, options string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.kind != kind || mountOf(mounts, m.point) != m {
			continue
		}
		if err := unix.Mount(kind, m.point, kind, flags, options); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cover %s: %w", m.point, err)
		}
	}
	return nil
}

// within returns the paths below dir.
func within(paths []string, dir string) []string {
	var all []string
	for _, path := range paths {
		if isBelow(path, dir) {
			all = append(all, path)
		}
	}
	return all
}

// isBelow reports whether a clean path is below a clean directory.
func isBelow(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// resolvConf makes programs ask our DNS for names as they are. Whatever name server they
// ask, it is ours: every address is local.
const resolvConf = "# of the isolated command\nnameserver 127.0.0.1\nsearch .\n"

// replaceResolver replaces the configuration of the system's resolver. Its file is made in
// a directory that is covered for that moment.
func replaceResolver(scratch string) error {
	target, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the default is the same
	}
	if err != nil {
		return err
	}
	const name = "resolv.conf"
	if err := coverDirectory(scratch, map[string][]byte{name: []byte(resolvConf)}); err != nil {
		return err
	}
	if err := bind(filepath.Join(scratch, name), target); err != nil {
		return fmt.Errorf("replace %s: %w", target, err)
	}
	return unix.Unmount(scratch, 0)
}

// protectGroups makes control groups read-only. A user can have groups to manage, also as
// an ordinary user, and stop and kill the processes in them.
func protectGroups() error {
	return restrict(unix.MS_RDONLY, func(m mount) bool { return m.kind == "cgroup" || m.kind == "cgroup2" })
}

// protectSystem takes from root what the system's files let it do without a capability:
// settings of the kernel, and its memory. It is what container engines do.
func protectSystem() error {
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing"} {
		if err := hide(path); err != nil {
			return err
		}
	}
	for _, path := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"} {
		if err := unix.Mount(path, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	below := func(m mount, dir string) bool { return m.point == dir || isBelow(m.point, dir) }
	if err := restrict(unix.MS_RDONLY, func(m mount) bool { return below(m, "/sys") || isBelow(m.point, "/proc") }); err != nil {
		return err
	}
	// Devices are covered in /dev. Root may have made others elsewhere.
	return restrict(unix.MS_NODEV, func(m mount) bool {
		return m.point != "/dev" && m.kind != "devtmpfs" && m.kind != "devpts" && !bindsDevice(m.point)
	})
}

// bindsDevice reports whether a device is mounted at the path, as a cover is.
func bindsDevice(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeDevice != 0
}

// restrict adds flags to the mounts of a kind. It leaves those out that cannot be reached.
func restrict(flags uintptr, kind func(mount) bool) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if !kind(m) || mountOf(mounts, m.point) != m || m.kind == "autofs" { // which would mount something
			continue
		}
		var s unix.Statfs_t
		if err := unix.Statfs(m.point, &s); err != nil {
			continue // it cannot be reached inside either
		}
		// A mount that came from another namespace keeps its restrictions.
		kept := uintptr(s.Flags) & (unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
		if err := unix.Mount("", m.point, "", unix.MS_REMOUNT|unix.MS_BIND|flags|kept, ""); err != nil {
			return fmt.Errorf("restrict %s: %w", m.point, err)
		}
	}
	return nil
}
