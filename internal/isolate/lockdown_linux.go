package isolate

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lockDown takes every privilege from this thread for good, and the system calls that
// lead out of the namespaces.
func lockDown() error {
	for c := range uintptr(64) { // the kernel has fewer and refuses the others
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("drop a capability: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("drop ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := scope(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return filterCalls()
}

// Landlock, from linux/landlock.h: the version that can scope signals and abstract
// sockets, and the ruleset as that version has it.
const (
	landlockScopes        = 6
	landlockCreateVersion = 1
	landlockScopeAbstract = 1
	landlockScopeSignal   = 2
)

type landlockRuleset struct{ files, network, scoped uint64 }

// scope keeps this process and its descendants from sending signals to others, and from
// connecting to their abstract sockets, on a kernel that can do that: Linux 6.12.
func scope() error {
	if !canScope() {
		return nil
	}
	rules := landlockRuleset{scoped: landlockScopeAbstract | landlockScopeSignal}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(fd))
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func canScope() bool {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, landlockCreateVersion)
	return errno == 0 && version >= landlockScopes
}

// Lacking says what a fence on this kernel does not keep the command from, or "".
func Lacking() string {
	if canScope() {
		return ""
	}
	return "this kernel is older than Linux 6.12 or has no Landlock, so an isolated command can send signals to your other processes"
}

// File systems of descriptors that do not belong to a file, from linux/magic.h.
const (
	anonInodes = 0x09041934
	namespaces = 0x6e736673
)

// closeInherited closes the descriptors that lead out of the fence: a directory leads to
// all that is above it, and a socket may be a connection to anything. Files, pipes and
// terminals stay open, as without a fence.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 { // the one of /proc/self/fd is closed
			continue
		}
		standard := fd <= 2
		switch keep, err := leadsNowhere(fd, standard); {
		case err != nil:
			return err
		case keep:
		case standard:
			return fmt.Errorf("descriptor %d is a directory, through which files outside can be reached", fd)
		default:
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// leadsNowhere reports whether a descriptor gives access to nothing but itself. A standard
// stream may be a socket, as programs give it to their children.
func leadsNowhere(fd int, standard bool) (bool, error) {
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return false, err
	}
	switch s.Mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFCHR:
		return true, nil
	case unix.S_IFSOCK:
		return standard, nil
	case unix.S_IFREG:
	default:
		return false, nil
	}
	var f unix.Statfs_t
	if err := unix.Fstatfs(fd, &f); err != nil {
		return false, err
	}
	return f.Type != anonInodes && f.Type != namespaces, nil
}
