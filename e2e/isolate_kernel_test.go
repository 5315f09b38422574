package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const network = syscall.CLONE_NEWNET

var kernelScene = scene{arrange: arrangeKernel, attacks: []attack{
	{name: "AF_PACKET socket", only: root, do: func(*yard) error { return openSocket(unix.AF_PACKET, unix.SOCK_RAW, 0) }},
	{name: "AF_PACKET socket in a nested namespace", nested: network, do: func(*yard) error { return openSocket(unix.AF_PACKET, unix.SOCK_RAW, 0) }},
	{name: "raw IPv4 socket", only: root, do: func(*yard) error { return openSocket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) }},
	{name: "raw IPv6 socket", only: root, do: func(*yard) error { return openSocket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6) }},
	{name: "AF_VSOCK socket", do: func(*yard) error { return openSocket(unix.AF_VSOCK, unix.SOCK_STREAM, 0) }},
	{name: "AF_VSOCK socket in a nested namespace", nested: network, do: func(*yard) error { return openSocket(unix.AF_VSOCK, unix.SOCK_STREAM, 0) }},
	{name: "AF_VSOCK pair", do: func(*yard) error { return family(unix.AF_VSOCK) }},
	{name: "AF_ALG socket", do: func(*yard) error { return family(unix.AF_ALG) }},
	{name: "AF_BLUETOOTH socket", do: func(*yard) error { return family(unix.AF_BLUETOOTH) }},
	{name: "a family with high bits", do: func(*yard) error {
		_, _, errno := unix.Syscall(unix.SYS_SOCKET, 1<<32|unix.AF_VSOCK, unix.SOCK_STREAM, 0)
		return refusedBy(errno, unix.EAFNOSUPPORT)
	}},
	{name: "io_uring", do: func(*yard) error {
		var parameters [120]byte
		return number(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&parameters[0])))
	}},
	{name: "find a key", do: findKey},
	{name: "add a key", do: func(*yard) error {
		_, err := unix.AddKey("user", "of-an-attacker", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
		return err
	}},
	{name: "list keys", only: root, do: func(y *yard) error { return contains("/proc/keys", y.Paths["key"]) }},

	{name: "socketcall of 32-bit programs", do: func(y *yard) error { return y.foreign("socketcall") }},
	{name: "socket of 32-bit programs", do: func(y *yard) error { return y.foreign("socket") }},
	{name: "TIOCSTI of 32-bit programs", do: func(y *yard) error { return y.foreign("ioctl") }},
	{name: "add_key of 32-bit programs", do: func(y *yard) error { return y.foreign("add_key") }},
	{name: "io_uring of 32-bit programs", do: func(y *yard) error { return y.foreign("io_uring") }},
	{name: "prlimit of 32-bit programs", do: func(y *yard) error { return y.foreign("prlimit") }},
	{name: "numbers of x32", guarded: true, do: func(*yard) error { return number(0x40000000|41, unix.AF_VSOCK, unix.SOCK_STREAM, 0) }},

	{name: "raw disk", only: root, do: func(*yard) error { return rawDisk() }},
	{name: "a device that was made elsewhere", only: root, do: func(y *yard) error { return openDisk(y.Paths["disk"]) }},
	{name: "make a device", only: root, do: func(y *yard) error { return makeDevice(y) }},
	{name: "change core_pattern", only: root, do: func(*yard) error { return writeBack("/proc/sys/kernel/core_pattern") }},
	{name: "change a setting of the kernel", only: root, do: func(*yard) error { return writeBack("/proc/sys/kernel/randomize_va_space") }},
	{name: "write to proc, as with sysrq-trigger", only: root, do: func(*yard) error { return openAny("/proc") }},
	{name: "write to sys", only: root, do: func(*yard) error { return openAny("/sys") }},
	{name: "release_agent", only: root, do: func(y *yard) error { return openToWrite(y.Paths["release agent"]) }},
	{name: "control groups", only: root, do: func(y *yard) error {
		dir := filepath.Join(y.Paths["control group"], "of-an-attacker")
		return errors.Join(os.Mkdir(dir, 0o755), os.Remove(dir))
	}},
	{name: "load a module", only: root, do: func(*yard) error { return loadModule() }},
	{name: "mount procfs", only: root, do: func(y *yard) error {
		return errors.Join(unix.Mount("proc", y.Work, "proc", 0, ""), unix.Unmount(y.Work, 0))
	}},
	{name: "mount procfs in a nested namespace", nested: mounts | syscall.CLONE_NEWPID, only: root, do: func(y *yard) error {
		return errors.Join(unix.Mount("proc", y.Work, "proc", 0, ""), openAny(y.Work))
	}},
	{name: "make a sandbox, as bubblewrap does", nested: mounts | network | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC, only: unprivileged, open: true, do: makeSandbox},
	{name: "mount sysfs in a nested namespace", nested: mounts | network, only: root, do: func(y *yard) error {
		return errors.Join(unix.Mount("sysfs", y.Work, "sysfs", 0, ""), openAny(filepath.Join(y.Work, "kernel")))
	}},
	{name: "mount a file system", only: root, do: func(y *yard) error { return mountTmpfs(y) }},
	{name: "change root", only: root, do: func(y *yard) error { return unix.Chroot(y.Work) }},
	{name: "change the clock", only: root, do: func(*yard) error {
		var now unix.Timex
		_, err := unix.Adjtimex(&now) // reads
		now.Modes = 0x0002            // ADJ_FREQUENCY, to what it is
		_, err2 := unix.Adjtimex(&now)
		return errors.Join(err, err2)
	}},
	{name: "set the name of the machine", only: root, do: func(*yard) error {
		name, err := os.Hostname()
		return errors.Join(err, unix.Sethostname([]byte(name)))
	}},
	{name: "change the limits of run", only: root, do: func(y *yard) error {
		var now unix.Rlimit
		return errors.Join(unix.Prlimit(y.Run, unix.RLIMIT_CORE, nil, &now), unix.Prlimit(y.Run, unix.RLIMIT_CORE, &now, nil))
	}},
	{name: "load a BPF program", only: root, do: func(*yard) error { return makeMap() }},
	{name: "become another user", only: root, do: func(*yard) error { return number(unix.SYS_SETUID, ordinary) }},
	{name: "gain privileges by a setuid program", only: unprivileged, do: becomeRoot},
	{name: "gain privileges by a setuid program in a nested namespace", nested: mounts, only: unprivileged, guarded: true, do: becomeRoot},
	{name: "keep capabilities", only: root, do: func(*yard) error { return hasCapability(unix.CAP_SYS_ADMIN) }},
	{name: "open another program's file as root", only: root, do: func(y *yard) error { return read(y.Paths["other user"]) }},
}}

func openSocket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// family asks for a pair of sockets of a family, which says whether the filter of system
// calls lets the family through: the kernel may not have it, and has no pairs of it.
func family(n int) error {
	_, _, errno := unix.Syscall6(unix.SYS_SOCKETPAIR, uintptr(n), 99, 0, 0, 0, 0)
	return refusedBy(errno, unix.EAFNOSUPPORT)
}

// refusedBy returns an error if a system call ended with the errno of the filter.
func refusedBy(got, filter unix.Errno) error {
	if got == filter {
		return got
	}
	return nil
}

// findKey reads a key that the user has outside.
func findKey(y *yard) error {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", y.Paths["key"], 0)
	if err != nil {
		return err
	}
	b := make([]byte, 100)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, b, 0)
	if err == nil && string(b[:n]) != "a key" {
		return fmt.Errorf("the key is %q", b[:n])
	}
	return err
}

// keepKey is the role that adds a key to those of the user, and removes it at the end.
func keepKey() {
	id, err := unix.AddKey("user", os.Getenv("E2E_KEY"), []byte("a key"), unix.KEY_SPEC_USER_KEYRING)
	check(err)
	fmt.Println("added")
	os.Stdin.Read(make([]byte, 1))
	_, err = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
	check(err)
}

// openDisk opens a block device: what covers one is another kind of device.
func openDisk(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Mode()&(os.ModeDevice|os.ModeCharDevice) != os.ModeDevice {
		return fmt.Errorf("%s is %s", path, info.Mode())
	}
	return err
}

// rawDisk opens a block device of the machine.
func rawDisk() error {
	failed := []error{errors.New("no disk can be opened")}
	all, _ := filepath.Glob("/sys/class/block/*")
	for _, disk := range all {
		failed = append(failed, openDisk("/dev/"+filepath.Base(disk)))
	}
	return first(failed...)
}

// makeDevice makes a node of a disk, and opens it.
func makeDevice(y *yard) error {
	return makeNode(filepath.Join(y.Work, "disk"))
}

func makeNode(path string) error {
	failed := []error{errors.New("no disk can be opened")}
	all, _ := filepath.Glob("/sys/class/block/*/dev")
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var major, minor uint32
		if _, err := fmt.Sscanf(string(text), "%d:%d", &major, &minor); err != nil {
			return err
		}
		os.Remove(path)
		if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor))); err != nil {
			return err
		}
		if err = openDisk(path); err == nil {
			return nil
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// writeBack writes to a setting what it is.
func writeBack(path string) error {
	value, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, value, 0)
}

func openToWrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// openAny opens a file below a directory of the kernel for writing, without an effect. Those
// of single processes do not count.
func openAny(dir string) error {
	opened := errors.New("opened")
	tried := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // it cannot be read
		}
		name := strings.TrimPrefix(path, dir+"/")
		if d.IsDir() && (strings.Trim(name, "0123456789") == "" || name == "pressure") { // which every user may watch
			return filepath.SkipDir
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o222 != 0 {
			tried++
			if openToWrite(path) == nil {
				return fmt.Errorf("%w: %s", opened, path)
			}
		}
		return nil
	})
	if errors.Is(err, opened) {
		fmt.Fprintln(os.Stderr, err)
		return nil
	}
	return errors.Join(err, fmt.Errorf("none of %d files", tried))
}

// loadModule offers the kernel something that is not a module.
func loadModule() error {
	err := unix.InitModule([]byte("not a module"), "")
	switch {
	case errors.Is(err, unix.ENOSYS): // the kernel has no modules
		return hasCapability(unix.CAP_SYS_MODULE)
	case errors.Is(err, unix.EPERM):
		return err
	}
	return nil // ENOEXEC
}

func mountTmpfs(y *yard) error {
	return errors.Join(unix.Mount("tmpfs", y.Work, "tmpfs", 0, ""), unix.Unmount(y.Work, 0))
}

// makeSandbox makes the file systems and the root of a nested sandbox.
func makeSandbox(y *yard) error {
	dir := func(name string) string { return filepath.Join(y.Work, name) }
	if err := unix.Mount("tmpfs", y.Work, "tmpfs", 0, ""); err != nil {
		return err
	}
	for name, kind := range map[string]string{"proc": "proc", "pts": "devpts", "mqueue": "mqueue", "old": "tmpfs"} {
		if err := errors.Join(os.Mkdir(dir(name), 0o755), unix.Mount(kind, dir(name), kind, 0, "")); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	if err := errors.Join(os.Mkdir(dir("usr"), 0o755), unix.Mount("/usr", dir("usr"), "", unix.MS_BIND|unix.MS_REC, "")); err != nil {
		return fmt.Errorf("bind /usr: %w", err)
	}
	return errors.Join(unix.PivotRoot(y.Work, dir("old")), unix.Chdir("/"), unix.Unmount("/old", unix.MNT_DETACH), lists("/usr", "bin"))
}

// makeMap makes an array in the kernel, as BPF programs use.
func makeMap() error {
	attributes := [4]uint32{2, 4, 4, 1} // BPF_MAP_TYPE_ARRAY
	return number(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attributes[0])), unsafe.Sizeof(attributes))
}

func run(path string, args ...string) error {
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// becomeRoot runs a setuid program that says who it is.
func becomeRoot(y *yard) error {
	out, err := exec.Command(y.Paths["setuid"]).CombinedOutput()
	if err == nil && !strings.Contains(string(out), "euid=0") {
		return fmt.Errorf("it is %s", out)
	}
	return err
}

func hasCapability(n int) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:")
	var effective uint64
	if _, err := fmt.Sscanf(rest, "%x", &effective); err != nil {
		return err
	}
	if effective&(1<<n) == 0 {
		return fmt.Errorf("the capabilities are %x", effective)
	}
	return nil
}

// foreignCalls makes system calls of 32-bit programs from a 64-bit one. It returns 0 if
// the filter lets the call through: then the kernel may not know the family, or the
// descriptor is not a terminal.
const foreignCalls = `
#include <string.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/mman.h>
#include <errno.h>
#include <unistd.h>
static int call(int n, int a, int b, int c, int d, int e) {
	int r;
	__asm__ volatile ("push %%rbx; mov %2, %%ebx; int $0x80; pop %%rbx"
		: "=a"(r) : "a"(n), "r"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "r8", "r9", "r10", "r11", "memory");
	return r;
}
int main(int argc, char **argv) {
	/* 32-bit calls need addresses below 4 GiB. */
	char *low = mmap(0, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_32BIT, -1, 0);
	int at = (int)(intptr_t)low, r = -ENOSYS;
	if (!strcmp(argv[1], "socketcall")) { int a[3] = {40, 1, 0}; memcpy(low, a, sizeof a); r = call(102, 1, at, 0, 0, 0); }
	if (!strcmp(argv[1], "socket")) r = call(359, 40, 1, 0, 0, 0);
	if (!strcmp(argv[1], "ioctl")) { low[0] = 'x'; r = call(54, 0, 0x5412, at, 0, 0); }
	if (!strcmp(argv[1], "add_key")) { strcpy(low, "user"); strcpy(low + 16, "x"); r = call(286, at, at + 16, at, 1, -2); }
	if (!strcmp(argv[1], "io_uring")) { r = call(425, 4, at, 0, 0, 0); }
	if (!strcmp(argv[1], "prlimit")) r = call(340, getppid(), 4, 0, at, 0);
	printf("%d\n", r);
	if (!strcmp(argv[1], "ioctl") || !strcmp(argv[1], "prlimit")) return r == -EPERM;
	return r == -ENOSYS || (r == -EAFNOSUPPORT && strcmp(argv[1], "socketcall"));
}
`

// foreign makes a system call of another ABI.
func (y *yard) foreign(call string) error { return run(y.Paths["foreign"], call) }

// arrangeKernel builds programs and adds a key.
func arrangeKernel(k *yardkeeper) {
	source := filepath.Join(k.spec.Dir, "foreign.c")
	k.Paths["foreign"] = filepath.Join(k.spec.Dir, "foreign")
	check(os.WriteFile(source, []byte(foreignCalls), 0o644))
	check(run("gcc", "-O0", "-o", k.Paths["foreign"], source))
	check(os.Chmod(k.Paths["foreign"], 0o755))

	k.Paths["setuid"] = filepath.Join(k.spec.Dir, "setuid")
	check(run("cp", "/usr/bin/id", k.Paths["setuid"]))
	check(os.Chmod(k.Paths["setuid"], 0o755|os.ModeSetuid))
	k.Paths["other user"] = filepath.Join(k.spec.Dir, "other")
	check(os.WriteFile(k.Paths["other user"], []byte("x"), 0o600))
	check(os.Chown(k.Paths["other user"], ordinary, ordinary))
	k.Paths["disk"] = filepath.Join(k.Dir, "disk")
	check(makeNode(k.Paths["disk"]))
	k.Paths["control group"] = k.controlGroup()
	old := filepath.Join(k.spec.Dir, "cgroup-v1")
	check(os.Mkdir(old, 0o755))
	check(unix.Mount("cgroup", old, "cgroup", 0, "none,name="+filepath.Base(k.spec.Dir)))
	k.Paths["release agent"] = filepath.Join(old, "release_agent")
	k.Paths["key"] = filepath.Base(k.spec.Dir)

	cmd := exec.Command(filepath.Join(k.spec.Programs, "probe"))
	cmd.Env, cmd.Stderr = []string{"E2E_ROLE=key", "E2E_KEY=" + k.Paths["key"]}, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(k.UID), Gid: uint32(k.UID)}, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	_, err = out.Read(make([]byte, 10))
	check(err)
	k.end = append(k.end, func() { in.Close(); cmd.Wait() })
}
