package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const mounts = syscall.CLONE_NEWNS

var fileScene = scene{arrange: arrangeFiles, late: replaceKeyFile, attacks: []attack{
	{name: "read the master key", do: func(y *yard) error { return read(y.key()) }},
	{name: "read the records of the vault", do: func(y *yard) error { return read(filepath.Join(y.Home, "profiles/default/vault/KEYREGISTRY")) }},
	{name: "read the audit log", do: func(y *yard) error { return read(filepath.Join(y.Home, "audit.log")) }},
	{name: "list the home", do: func(y *yard) error { return lists(y.Home, "config.json") }},
	{name: "write into the home", do: func(y *yard) error { return os.WriteFile(filepath.Join(y.Home, "planted"), nil, 0o600) }},
	{name: "read the default home", do: func(y *yard) error { return read(filepath.Join(y.DefaultHome, "master.key")) }},
	{name: "read AUTHSOME_MASTER_KEY_FILE", do: func(y *yard) error { return read(y.KeyFile) }},
	{name: "read AUTHSOME_PASSPHRASE_FILE", do: func(y *yard) error { return read(y.Passphrase) }},
	{name: "read the file of config.json", do: func(y *yard) error { return read(y.Paths["configured"]) }},
	{name: "read a key file that was replaced in its directory", do: func(y *yard) error { return read(y.Paths["separate"]) }},
	{name: "read a key file that was replaced during the run", limit: true, do: func(y *yard) error { return read(y.Paths["replaced"]) }},

	{name: "read through a symbolic link", do: readByLink},
	{name: "read through a link that existed", do: func(y *yard) error { return read(filepath.Join(y.Paths["link"], "master.key")) }},
	{name: "make a hard link to the key", do: func(y *yard) error {
		return os.Link(y.key(), filepath.Join(y.Work, "hard"))
	}},
	{name: "make a hard link to the key file", do: func(y *yard) error {
		return first(os.Link(y.KeyFile, filepath.Join(filepath.Dir(y.KeyFile), "hard")), linkDescriptor(y))
	}},
	{name: "read an alias of the home", do: func(y *yard) error { return read(filepath.Join(y.Paths["alias"], "master.key")) }},
	{name: "read an alias of the directory above", do: func(y *yard) error {
		return read(filepath.Join(y.Paths["alias above"], "home/master.key"))
	}},
	{name: "read an alias of a directory of the home", do: func(y *yard) error { return read(filepath.Join(y.Paths["alias below"], "KEYREGISTRY")) }},
	{name: "read an alias of the master key", do: func(y *yard) error { return read(y.Paths["alias of key"]) }},
	{name: "read an alias of the key file", do: func(y *yard) error { return read(y.Paths["alias of key file"]) }},

	{name: "use an inherited directory", do: func(y *yard) error { return readAt(y.fd("directory"), "master.key") }},
	{name: "use an inherited directory without access", do: func(y *yard) error { return readAt(y.fd("O_PATH"), "master.key") }},
	{name: "use an inherited directory above", do: func(y *yard) error { return readAt(y.fd("above"), "home/master.key") }},
	{name: "reopen an inherited directory", do: func(y *yard) error { return read(fmt.Sprintf("/proc/self/fd/%d/master.key", y.fd("O_PATH"))) }},
	{name: "use an inherited mount", do: func(y *yard) error { return readAt(y.fd("mount"), "master.key") }},

	{name: "root of the neighbor", do: func(y *yard) error { return read(proc(y.Neighbor.PID, "root", y.key())) }},
	{name: "root of a thread of the neighbor", do: func(y *yard) error {
		return read(proc(y.Neighbor.PID, "task", strconv.Itoa(y.Neighbor.PID), "root", y.key()))
	}},
	{name: "working directory of the neighbor", do: func(y *yard) error { return read(proc(y.Neighbor.PID, "cwd/master.key")) }},
	{name: "descriptor of the neighbor", do: func(y *yard) error { return read(proc(y.Neighbor.PID, "fd", strconv.Itoa(y.Neighbor.Key))) }},
	{name: "root of the shell", do: func(y *yard) error { return read(proc(y.Shell, "root", y.key())) }},
	{name: "root of run, as a user", only: unprivileged, guarded: true, do: func(y *yard) error { return read(proc(y.Run, "root", y.key())) }},
	{name: "root of run", only: root, do: func(y *yard) error { return read(proc(y.Run, "root", y.key())) }},
	{name: "working directory of run", only: root, do: func(y *yard) error { return read(proc(y.Run, "cwd") + "/../apart/home/master.key") }},
	{name: "descriptors of run", only: root, do: readDescriptorsOfRun},
	{name: "root of process 1", only: root, do: func(y *yard) error { return read(proc(1, "root", y.key())) }},
	{name: "change root to that of the neighbor", only: root, do: func(y *yard) error {
		return first(changeRoot(proc(y.Neighbor.PID, "root"), y), changeRoot(proc(1, "root"), y))
	}},

	{name: "unmount", do: unmountAll},
	{name: "unmount in a nested namespace", nested: mounts, do: unmountAll},
	{name: "detach everything in a nested namespace", nested: mounts, do: detachRoot},
	{name: "clone the mount without its children", nested: mounts, do: cloneTree},
	{name: "bind the directory above without its children", nested: mounts, do: bindAbove},
	{name: "show the directory above in an overlay", nested: mounts, do: overlayAbove},
	{name: "move the cover away", nested: mounts, do: moveCover},
	{name: "make the cover writable", nested: mounts, do: func(y *yard) error {
		return first(unix.Mount("", y.Home, "", unix.MS_REMOUNT|unix.MS_BIND, ""), os.WriteFile(filepath.Join(y.Home, "planted"), nil, 0o600))
	}},
	{name: "open by a handle", only: root, do: func(y *yard) error { return openHandle(y, y.Dir) }},
	{name: "open by a handle in a nested namespace", only: unprivileged, nested: mounts, do: openHandleNested},
	{name: "enter the mounts of the neighbor", only: root, do: func(y *yard) error { return enterMounts(y, y.Neighbor.PID) }},
	{name: "enter the mounts of run", only: root, do: func(y *yard) error { return enterMounts(y, y.Run) }},
	{name: "enter the mounts of process 1", only: root, do: func(y *yard) error { return enterMounts(y, 1) }},
	{name: "enter the mounts of an inherited descriptor", only: root, do: func(y *yard) error { return enter(y.fd("namespace"), mounts, y.key()) }},
	{name: "rename the home", do: func(y *yard) error { return renameAndBack(y.Home) }},
	{name: "rename the home in a nested namespace to read it", nested: mounts, do: renameDetached},
}}

func (y *yard) key() string { return filepath.Join(y.Home, "master.key") }

// read succeeds if a file has content: a cover is empty.
func read(path string) error {
	data, err := os.ReadFile(path)
	if err == nil && len(data) == 0 {
		return fmt.Errorf("%s is empty", path)
	}
	return err
}

func readAt(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if n, err := unix.Read(fd, make([]byte, 16)); err != nil || n == 0 {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	return nil
}

func lists(dir, name string) error {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err
}

// proc returns a path below the directory of a process.
func proc(pid int, more ...string) string {
	return filepath.Join(append([]string{"/proc", strconv.Itoa(pid)}, more...)...)
}

// arrangeFiles makes what leads to the home in other ways than its path.
func arrangeFiles(k *yardkeeper) {
	path := func(name string) string {
		k.Paths[name] = filepath.Join(k.Dir, strings.ReplaceAll(name, " ", "-"))
		return k.Paths[name]
	}
	for _, name := range []string{"alias", "alias above", "alias below"} {
		check(os.Mkdir(path(name), 0o755))
	}
	for _, name := range []string{"alias of key", "alias of key file"} {
		check(os.WriteFile(path(name), nil, 0o644))
	}
	for name, from := range map[string]string{
		"alias": k.Home, "alias above": filepath.Dir(k.Home), "alias below": filepath.Join(k.Home, "profiles/default/vault"),
		"alias of key": k.key(), "alias of key file": k.KeyFile,
	} {
		check(unix.Mount(from, k.Paths[name], "", unix.MS_BIND, ""))
	}
	check(os.Symlink(k.Home, path("link")))
	check(copyFile(k.KeyFile, path("configured")))
	check(os.WriteFile(path("replaced"), []byte("the key\n"), 0o600))
	k.Paths["separate"] = filepath.Join(k.Dir, "separate", "key")
	check(os.Mkdir(filepath.Dir(k.Paths["separate"]), 0o700))
	check(os.WriteFile(k.Paths["separate"], []byte("the key\n"), 0o600))
	k.flags = append(k.flags, "--hide", k.Paths["replaced"], "--hide", k.Paths["separate"])
	k.give(filepath.Dir(k.Paths["replaced"]))
	check(configureKeyFile(k.Home, k.Paths["configured"]))
	k.Paths["handle"] = handleOf(k.Home)
	k.inherit("directory", k.Home, unix.O_RDONLY|unix.O_DIRECTORY)
	k.inherit("O_PATH", k.Home, unix.O_PATH)
	k.inherit("above", filepath.Dir(k.Home), unix.O_PATH)
	k.inherit("namespace", "/proc/self/ns/mnt", unix.O_RDONLY)
	tree, err := unix.OpenTree(unix.AT_FDCWD, k.Home, unix.OPEN_TREE_CLONE)
	check(err)
	k.inheritFile("mount", os.NewFile(uintptr(tree), "mount"))
}

// inherit has the commands inherit a descriptor of a file.
func (k *yardkeeper) inherit(name, path string, flags int) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	check(err)
	k.inheritFile(name, os.NewFile(uintptr(fd), name))
}

func (k *yardkeeper) inheritFile(name string, f *os.File) {
	k.files = append(k.files, f)
	k.Inherited = append(k.Inherited, name)
}

// replaceKeyFile replaces hidden files as programs do: by renaming others over them.
func replaceKeyFile(k *yardkeeper) {
	for _, name := range []string{"replaced", "separate"} {
		next := k.Paths[name] + ".next"
		check(os.WriteFile(next, []byte("the next key\n"), 0o600))
		check(os.Chown(next, k.UID, k.UID))
		check(os.Rename(next, k.Paths[name]))
	}
}

func readByLink(y *yard) error {
	link := filepath.Join(y.Work, "link")
	os.Remove(link)
	if err := os.Symlink(y.Home, link); err != nil {
		return err
	}
	return read(filepath.Join(link, "master.key"))
}

// linkDescriptor makes a hard link to what a descriptor refers to.
func linkDescriptor(y *yard) error {
	fd, err := unix.Open(y.KeyFile, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	to := filepath.Join(filepath.Dir(y.KeyFile), "hard-too")
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW)
}

// readDescriptorsOfRun opens what `authsome run` has open in the home.
func readDescriptorsOfRun(y *yard) error {
	dir := proc(y.Run, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if target, err := os.Readlink(path); err == nil && strings.HasPrefix(target, y.Home) {
			f, err := os.Open(path)
			if err == nil {
				f.Close()
				return nil
			}
		}
	}
	return fmt.Errorf("none of %d descriptors", len(entries))
}

func changeRoot(dir string, y *yard) error {
	if err := unix.Chroot(dir); err != nil {
		return err
	}
	return read(y.key())
}

// unmountAll removes every mount that hides something, and reads what is below.
func unmountAll(y *yard) error {
	var all []error
	for _, path := range []string{y.Home, y.KeyFile, y.DefaultHome} {
		all = append(all, unix.Unmount(path, 0), unix.Unmount(path, unix.MNT_DETACH), unix.Unmount(path, unix.MNT_FORCE))
	}
	if err := first(read(y.key()), read(y.KeyFile), read(filepath.Join(y.DefaultHome, "master.key"))); err != nil {
		return errors.Join(append(all, err)...)
	}
	return nil
}

// detachRoot keeps the directory above the home open, makes an empty root, and detaches
// the old one with all that is mounted in it.
func detachRoot(y *yard) error {
	above, err := leaveRoot(y)
	if err != nil {
		return err
	}
	return readAt(above, "home/master.key")
}

// leaveRoot returns the directory above the home. The mount namespace does not have it any
// more.
func leaveRoot(y *yard) (above int, err error) {
	if above, err = unix.Open(filepath.Dir(y.Home), unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return 0, err
	}
	old := filepath.Join(y.Work, "old")
	if err := os.MkdirAll(old, 0o755); err != nil {
		return 0, err
	}
	if err := unix.Mount(y.Work, y.Work, "", unix.MS_BIND, ""); err != nil {
		return 0, err
	}
	return above, errors.Join(unix.PivotRoot(y.Work, old), unix.Chdir("/"), unix.Unmount("/old", unix.MNT_DETACH))
}

// renameDetached renames the home where the mount namespace does not have it.
func renameDetached(y *yard) error {
	above, err := leaveRoot(y)
	if err != nil {
		return err
	}
	if err := unix.Renameat(above, "home", above, "home.away"); err != nil {
		return err
	}
	defer unix.Renameat(above, "home.away", above, "home")
	return readAt(above, "home.away/master.key")
}

// cloneTree copies the mount of the directory above the home, without what is mounted in
// it.
func cloneTree(y *yard) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, filepath.Dir(y.Home), unix.OPEN_TREE_CLONE)
	if err != nil {
		return err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, y.Work, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	return read(filepath.Join(y.Work, "home/master.key"))
}

func bindAbove(y *yard) error {
	if err := unix.Mount(filepath.Dir(y.Home), y.Work, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return read(filepath.Join(y.Work, "home/master.key"))
}

func overlayAbove(y *yard) error {
	if err := unix.Mount("overlay", y.Work, "overlay", 0, "lowerdir="+filepath.Dir(y.Home)+":"+filepath.Dir(y.KeyFile)); err != nil {
		return err
	}
	return read(filepath.Join(y.Work, "home/master.key"))
}

// moveCover moves the cover elsewhere: where nothing covers the home, its move fails, and
// the key can be read.
func moveCover(y *yard) error {
	moved := first(unix.Mount(y.Home, y.Work, "", unix.MS_MOVE, ""), unix.MoveMount(unix.AT_FDCWD, y.Home, unix.AT_FDCWD, y.Work, 0))
	if err := read(y.key()); err != nil {
		return errors.Join(moved, err)
	}
	return nil
}

// handleOf returns the handle of a directory, for open_by_handle_at.
func handleOf(path string) string {
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
	check(err)
	return fmt.Sprintf("%d %x", h.Type(), h.Bytes())
}

// openHandle opens the home by its handle, with a mount that is at dir.
func openHandle(y *yard, dir string) error {
	var kind int32
	var text []byte
	if _, err := fmt.Sscanf(y.Paths["handle"], "%d %x", &kind, &text); err != nil {
		return err
	}
	mount, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	home, err := unix.OpenByHandleAt(mount, unix.NewFileHandle(kind, text), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return readAt(home, "master.key")
}

// openHandleNested tries mounts above, at and beside the home.
func openHandleNested(y *yard) error {
	var all []error
	for _, dir := range []string{y.Dir, filepath.Dir(y.Home), y.Home, y.Work} {
		all = append(all, openHandle(y, dir))
	}
	return first(all...)
}

func enterMounts(y *yard, pid int) error {
	fd, err := unix.Open(proc(pid, "ns/mnt"), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return enter(fd, mounts, y.key())
}

// enter enters a namespace, and reads a file there.
func enter(fd, kind int, path string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // otherwise threads share it, and the kernel refuses
		return err
	}
	if err := unix.Setns(fd, kind); err != nil {
		return err
	}
	return read(path)
}

// renameAndBack succeeds if something can be moved away.
func renameAndBack(path string) error {
	if err := os.Rename(path, path+".away"); err != nil {
		return err
	}
	return os.Rename(path+".away", path)
}

// configureKeyFile has config.json name a file with the master key.
func configureKeyFile(home, file string) error {
	path := filepath.Join(home, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	place := strings.Replace(string(data), `"mode": "local_key"`, `"mode": "file", "file": "`+file+`"`, 1)
	if place == string(data) {
		return fmt.Errorf("unexpected config.json: %s", data)
	}
	return os.WriteFile(path, []byte(place), 0o600)
}
