package isolate

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterCalls installs a filter for the system calls that no namespace covers:
//
//   - sockets other than Unix, IP and netlink: some, such as AF_VSOCK, reach the host of a
//     virtual machine from every network namespace;
//   - typing into the terminal (TIOCSTI, TIOCLINUX): what reads it next is a shell outside;
//   - keys in the kernel, which belong to the user and not to a namespace;
//   - limits of other processes: one of CPU time is a signal to any process of the user;
//   - io_uring, which makes sockets without a system call of that name.
//
// Programs see errors that they know from systems without these.
func filterCalls() error {
	program, err := callFilter(runtime.GOARCH)
	if err != nil {
		return err
	}
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// callNumbers are those of one architecture, from its unistd.h. A number of 0 means that
// it has no such call.
type callNumbers struct {
	arch       uint32 // AUDIT_ARCH_*
	socket     uint32
	socketpair uint32
	ioctl      uint32
	prlimit    uint32
	socketcall uint32 // makes any kind of socket, by a pointer that a filter cannot follow
	keys       [3]uint32
}

// These have the same number everywhere.
const ioUringSetup = unix.SYS_IO_URING_SETUP

// architectures are those that run programs of GOARCH, its own first. The numbers of the
// others are not in package unix, because it is for one architecture at a time.
var architectures = map[string][]callNumbers{
	"amd64": {
		{arch: unix.AUDIT_ARCH_X86_64, socket: 41, socketpair: 53, ioctl: 16, prlimit: 302, keys: [3]uint32{248, 249, 250}},
		{arch: unix.AUDIT_ARCH_I386, socket: 359, socketpair: 360, ioctl: 54, prlimit: 340, socketcall: 102, keys: [3]uint32{286, 287, 288}},
	},
	"arm64": {
		{arch: unix.AUDIT_ARCH_AARCH64, socket: 198, socketpair: 199, ioctl: 29, prlimit: 261, keys: [3]uint32{217, 218, 219}},
		{arch: unix.AUDIT_ARCH_ARM, socket: 281, socketpair: 288, ioctl: 54, prlimit: 369, socketcall: 102, keys: [3]uint32{309, 310, 311}},
	},
}

// x32Bit marks the calls of a third ABI of x86-64, which has its architecture and other
// numbers.
const x32Bit = 0x40000000

// Offsets in struct seccomp_data, and results, from linux/seccomp.h.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16 // the lower half of the first one, on little-endian machines

	allow = unix.SECCOMP_RET_ALLOW
	deny  = unix.SECCOMP_RET_ERRNO
)

var allowedFamilies = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// callFilter assembles the filter.
func callFilter(goarch string) ([]unix.SockFilter, error) {
	archs := architectures[goarch]
	if archs == nil {
		return nil, errors.New("no filter for system calls on " + goarch)
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	// skipUnless continues if the loaded value is k, and else skips n instructions.
	skipUnless := func(k uint32, n int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: uint8(n)}
	}
	refuse := func(number uint32, errno unix.Errno) []unix.SockFilter {
		return []unix.SockFilter{skipUnless(number, 1), answer(deny | uint32(errno))}
	}
	var program []unix.SockFilter
	for _, a := range archs {
		body := []unix.SockFilter{load(offsetNumber)}
		if a.arch == unix.AUDIT_ARCH_X86_64 {
			body = append(body, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: x32Bit, Jf: 1}, answer(deny|uint32(unix.ENOSYS)))
		}
		for _, number := range append(a.keys[:], ioUringSetup, a.socketcall) {
			if number != 0 {
				body = append(body, refuse(number, unix.ENOSYS)...)
			}
		}
		for _, number := range []uint32{a.socket, a.socketpair} {
			families := []unix.SockFilter{load(offsetArgs)}
			for _, f := range allowedFamilies {
				families = append(families, skipUnless(f, 1), answer(allow))
			}
			families = append(families, answer(deny|uint32(unix.EAFNOSUPPORT)))
			body = append(append(body, skipUnless(number, len(families))), families...)
		}
		body = append(body, skipUnless(a.prlimit, 4), load(offsetArgs), skipUnless(0, 1), answer(allow), answer(deny|uint32(unix.EPERM))) // 0 is the caller
		requests := []unix.SockFilter{load(offsetArgs + 8)}
		for _, request := range []uint32{unix.TIOCSTI, tiocLinux} {
			requests = append(requests, refuse(request, unix.EPERM)...)
		}
		requests = append(requests, answer(allow))
		body = append(append(append(body, skipUnless(a.ioctl, len(requests))), requests...), answer(allow))
		program = append(append(append(program, load(offsetArch)), skipUnless(a.arch, len(body))), body...)
	}
	return append(program, answer(deny|uint32(unix.ENOSYS))), nil // of an architecture that is not known
}

// tiocLinux is TIOCLINUX of linux/tty.h, which pastes on a console.
const tiocLinux = 0x541c
