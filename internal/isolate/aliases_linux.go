package isolate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mountinfo; see proc_pid_mountinfo(5).
type mount struct {
	device string // the file system
	root   string // the directory of the file system that is mounted
	point  string // where it is mounted
	kind   string // such as ext4
}

func readMounts() ([]mount, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(data)
}

func parseMounts(data []byte) ([]mount, error) {
	var all []mount
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		const optional = 6 // the first of the fields that end with a hyphen; the kind is after it
		end := slices.Index(f, "-")
		if end < optional || len(f) < end+2 {
			return nil, fmt.Errorf("mountinfo: unexpected line %q", line)
		}
		all = append(all, mount{f[2], unescape(f[3]), unescape(f[4]), f[end+1]})
	}
	return all, nil
}

// unescape replaces the octal escapes of mountinfo, for example of a space.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if n, err := strconv.ParseUint(after[:min(3, len(after))], 8, 8); err == nil && len(after) >= 3 {
			b.WriteByte(byte(n))
			after = after[3:]
		} else {
			b.WriteByte('\\')
		}
		s = after
	}
}

// aliases returns the other paths at which the same files and directories, or parts of
// them, are visible, because a file system is mounted more than once.
func aliases(paths []string) ([]string, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	return aliasesIn(mounts, paths), nil
}

func aliasesIn(mounts []mount, paths []string) []string {
	var all []string
	for _, path := range paths {
		at := mountOf(mounts, path)
		inside := filepath.Join(at.root, strings.TrimPrefix(path, at.point)) // within the file system
		for _, m := range mounts {
			if m.device != at.device || m == at {
				continue
			}
			alias := m.point
			switch {
			case inside == m.root || isBelow(inside, m.root):
				alias = filepath.Join(m.point, strings.TrimPrefix(inside, m.root))
			case !isBelow(m.root, inside) || isBelow(m.point, path):
				continue
			}
			// Another mount may be on top of it, and path may itself be such an alias.
			if alias != path && mountOf(mounts, alias) == m {
				all = append(all, alias)
			}
		}
	}
	return all
}

// mountOf returns the mount that a path is in: of those above it the lowest, and of
// several at one place the last.
func mountOf(mounts []mount, path string) (at mount) {
	for _, m := range mounts {
		if (path == m.point || isBelow(path, m.point)) && len(m.point) >= len(at.point) {
			at = m
		}
	}
	return at
}
