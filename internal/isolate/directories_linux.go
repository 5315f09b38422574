package isolate

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// This file finds directories that are covered as a whole. The cover of a single file is
// lost when another file is renamed over it, or when it is removed and made again.

// onlySockets returns directories of the user that are for sockets and have nothing else. A
// socket that its program makes again is not covered any more, but the directory is.
func onlySockets(getenv func(string) string, sockets, needed []string) []string {
	all := directoriesOf(getenv, sockets, needed, func(_ string, e fs.DirEntry) bool { return e.Type() == fs.ModeSocket })
	// The one of tmux, whose socket is a way to every terminal in it, may be made later.
	tmp, err := filepath.EvalSymlinks(cmp.Or(getenv("TMUX_TMPDIR"), "/tmp"))
	tmux := filepath.Join(tmp, "tmux-"+strconv.Itoa(os.Geteuid()))
	if err != nil || slices.Contains(all, tmux) {
		return all
	}
	os.Mkdir(tmux, 0o700)
	if isPrivate(tmux) {
		all = append(all, tmux)
	}
	return all
}

// has reports whether one of the paths is a directory, or below it.
func has(dir string, paths []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool { return path == dir || isBelow(path, dir) })
}

// isPrivate reports whether only this user can write into a directory.
func isPrivate(dir string) bool {
	var s unix.Stat_t
	err := unix.Lstat(dir, &s)
	return err == nil && s.Mode&unix.S_IFMT == unix.S_IFDIR && int(s.Uid) == os.Geteuid() && s.Mode&0o022 == 0
}

// onlyHidden returns directories of the user that have nothing but files that are hidden,
// for example keys, and do not have those that the command needs.
func onlyHidden(getenv func(string) string, hidden, needed []string) []string {
	return directoriesOf(getenv, hidden, needed, func(path string, _ fs.DirEntry) bool { return slices.Contains(hidden, path) })
}

// directoriesOf returns the directories of files that only this user can write, and in which
// each entry is one to cover. The user's home and those with what is needed are left out.
func directoriesOf(getenv func(string) string, files, needed []string, cover func(path string, e fs.DirEntry) bool) []string {
	var all []string
	for _, file := range files {
		dir := filepath.Dir(file)
		if dir == getenv("HOME") || slices.Contains(all, dir) || !isPrivate(dir) || has(dir, needed) {
			continue
		}
		if !slices.ContainsFunc(entriesOf(dir), func(e fs.DirEntry) bool { return !cover(filepath.Join(dir, e.Name()), e) }) {
			all = append(all, dir)
		}
	}
	return all
}
