package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// beNeighbor is the role of another process of the user. It survives the signals of the
// attacks, and listens where the yardkeeper asks it to.
func beNeighbor() {
	signal.Ignore(attackSignal)
	noticed := make(chan os.Signal, 1)
	signal.Notify(noticed, noticedSignal)
	go func() {
		for range noticed {
			check(os.WriteFile(filepath.Join(os.Getenv("HOME"), signalled), nil, 0o600))
		}
	}()
	key, err := os.Open("master.key")
	check(err)
	secret := []byte("memory-" + os.Getenv("NEIGHBOR_SECRET"))
	n := neighbor{PID: os.Getpid(), Key: int(key.Fd()), Secret: string(secret), Address: uint64(uintptr(unsafe.Pointer(&secret[0])))}
	out := json.NewEncoder(os.Stdout)
	check(out.Encode(n))
	in := json.NewDecoder(os.Stdin)
	for {
		var r request
		if in.Decode(&r) != nil {
			runtime.KeepAlive(secret)
			return
		}
		failure := ""
		if err := r.serve(); err != nil {
			failure = err.Error()
		}
		check(out.Encode(failure))
	}
}

// greeting is what everything outside says to those that reach it.
const greeting = "hello from outside\n"

// serve listens, or changes the working directory. A server of datagrams answers with the
// greeting.
func (r request) serve() error {
	if r.Network == "chdir" {
		return os.Chdir(r.Path)
	}
	os.Remove(r.Path)
	if r.Network == "unixgram" || r.Network == "udp" {
		l, err := net.ListenPacket(r.Network, r.Path)
		if err != nil {
			return err
		}
		go func() {
			b := make([]byte, 100)
			for {
				_, from, err := l.ReadFrom(b)
				if err != nil {
					return
				}
				l.WriteTo([]byte(greeting), from)
			}
		}()
		return nil
	}
	l, err := net.Listen(r.Network, r.Path)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte(greeting))
			c.Close()
		}
	}()
	return nil
}

// attackSignal is what the attacks send: it must not end the neighbor before the control.
const attackSignal = syscall.SIGUSR1

// When it gets noticedSignal, it makes the file signalled in the user's directory.
const (
	noticedSignal = syscall.SIGUSR2
	signalled     = "signalled"
)

var processScene = scene{arrange: arrangeProcesses, attacks: []attack{
	{name: "attach a debugger", do: func(y *yard) error { return attach(y.Neighbor.PID) }},
	{name: "attach a debugger to the shell", do: func(y *yard) error { return attach(y.Shell) }},
	{name: "attach a debugger to run, as a user", only: unprivileged, guarded: true, do: func(y *yard) error { return attach(y.Run) }},
	{name: "attach a debugger to run", only: root, do: func(y *yard) error { return attach(y.Run) }},
	{name: "attach a debugger in a nested namespace", nested: mounts | syscall.CLONE_NEWPID, guarded: true, do: func(y *yard) error { return attach(y.Neighbor.PID) }},
	{name: "read memory", do: readMemory},
	{name: "read memory through proc", do: func(y *yard) error {
		return containsAt(proc(y.Neighbor.PID, "mem"), y.Neighbor.Address, y.Neighbor.Secret)
	}},
	{name: "read the map of memory", do: func(y *yard) error { return read(proc(y.Neighbor.PID, "maps")) }},
	{name: "read the environment", do: func(y *yard) error { return contains(proc(y.Neighbor.PID, "environ"), shellSecret) }},
	{name: "read the environment of the shell", do: func(y *yard) error { return contains(proc(y.Shell, "environ"), shellSecret) }},
	{name: "read the environment of run", only: root, do: func(y *yard) error { return contains(proc(y.Run, "environ"), shellSecret) }},
	{name: "read the environment of run, as a user", only: unprivileged, guarded: true, do: func(y *yard) error { return contains(proc(y.Run, "environ"), shellSecret) }},
	{name: "copy a descriptor", do: func(y *yard) error { return copyDescriptor(y.Neighbor.PID, y.Neighbor.Key) }},
	{name: "copy a descriptor of run", only: root, do: func(y *yard) error { return copyDescriptor(y.Run, 0) }},
	{name: "copy a descriptor by an inherited pidfd", do: func(y *yard) error { return copyByPidfd(y.fd("pidfd"), y.Neighbor.Key) }},
	{name: "compare descriptors", do: func(y *yard) error { return compareDescriptors(y.Neighbor.PID) }},

	{name: "read shared memory", do: readShared},
	{name: "read a message queue", do: readQueue},

	{name: "kill", do: func(y *yard) error { return syscall.Kill(y.Neighbor.PID, attackSignal) }},
	{name: "kill a process group", do: func(y *yard) error { return syscall.Kill(-y.Neighbor.PID, attackSignal) }},
	{name: "kill the shell", do: func(y *yard) error { return syscall.Kill(y.Shell, syscall.SIGCONT) }},
	{name: "kill run", do: func(y *yard) error { return syscall.Kill(y.Run, syscall.SIGCONT) }},
	{name: "tkill", do: func(y *yard) error { return number(unix.SYS_TKILL, uintptr(y.Neighbor.PID), uintptr(attackSignal)) }},
	{name: "tgkill", do: func(y *yard) error { return unix.Tgkill(y.Neighbor.PID, y.Neighbor.PID, attackSignal) }},
	{name: "sigqueue", do: func(y *yard) error { return queueSignal(y.Neighbor.PID) }},
	{name: "signal by a pidfd", do: func(y *yard) error {
		fd, err := unix.PidfdOpen(y.Neighbor.PID, 0)
		return errors.Join(err, unix.PidfdSendSignal(fd, attackSignal, nil, 0))
	}},
	{name: "signal by an inherited pidfd", do: func(y *yard) error { return unix.PidfdSendSignal(y.fd("pidfd"), attackSignal, nil, 0) }},
	{name: "signal in a nested namespace", nested: mounts, do: func(y *yard) error { return syscall.Kill(y.Neighbor.PID, attackSignal) }},
	{name: "signal through a lower limit of resources", do: limitNeighbor},
	{name: "signal by a file that is ready", do: askForSignals},
	{name: "stop through a control group", do: func(y *yard) error {
		freeze := filepath.Join(y.Paths["control group"], "cgroup.freeze")
		return errors.Join(os.WriteFile(freeze, []byte("1"), 0), os.WriteFile(freeze, []byte("0"), 0))
	}},

	{name: "enter the user namespace of the neighbor", only: root, guarded: true, do: func(y *yard) error { return setns(y.Neighbor.PID, "user") }}, // it is the same
	{name: "enter the network of the neighbor", only: root, do: func(y *yard) error { return setns(y.Neighbor.PID, "net") }},
	{name: "enter the IPC namespace of run", only: root, do: func(y *yard) error { return setns(y.Run, "ipc") }},
	{name: "enter all namespaces of the shell", only: root, do: func(y *yard) error {
		fd, err := unix.PidfdOpen(y.Shell, 0)
		return errors.Join(err, unix.Setns(fd, unix.CLONE_NEWNET|unix.CLONE_NEWIPC))
	}},
	{name: "enter the network of an inherited descriptor", only: root, do: func(y *yard) error { return unix.Setns(y.fd("namespace"), unix.CLONE_NEWNET) }},
	{name: "ask for the parent of the user namespace", nested: 0, guarded: true, do: parentNamespace},
}}

func arrangeProcesses(k *yardkeeper) {
	fd, err := unix.PidfdOpen(k.Neighbor.PID, 0)
	check(err)
	k.inheritFile("pidfd", os.NewFile(uintptr(fd), "pidfd"))
	k.inherit("namespace", "/proc/self/ns/net", unix.O_RDONLY)
	k.Paths["control group"] = k.controlGroup()
	k.arrangeIPC()
}

// shared is the key of a segment of shared memory, and what it has.
const (
	shared     = 0x61757468
	sharedText = "a shared secret"
)

// arrangeIPC makes a segment of shared memory and a message queue of the user. Systems with
// systemd have the file system of the queues at /dev/mqueue.
func (k *yardkeeper) arrangeIPC() {
	id, err := unix.SysvShmGet(shared, 4096, unix.IPC_CREAT|0o666)
	check(err)
	memory, err := unix.SysvShmAttach(id, 0, 0)
	check(err)
	copy(memory, sharedText)
	queues := filepath.Join(k.spec.Dir, "mqueue")
	check(os.Mkdir(queues, 0o755))
	check(unix.Mount("mqueue", queues, "mqueue", 0, ""))
	k.Paths["queue"] = filepath.Join(queues, "queue")
	f, err := os.OpenFile(k.Paths["queue"], os.O_CREATE|os.O_RDWR, 0o600)
	check(err)
	check(os.Chown(k.Paths["queue"], k.UID, k.UID))
	message := []byte(sharedText)
	for range 2 { // as many as there are runs
		check(number(unix.SYS_MQ_TIMEDSEND, f.Fd(), uintptr(unsafe.Pointer(&message[0])), uintptr(len(message))))
	}
}

func readShared(*yard) error {
	id, err := unix.SysvShmGet(shared, 4096, 0)
	if err != nil {
		return err
	}
	memory, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
	if err == nil && !strings.HasPrefix(string(memory), sharedText) {
		return fmt.Errorf("it has %q", memory[:len(sharedText)])
	}
	return err
}

// readQueue receives the message of a queue that it opens by its path.
func readQueue(y *yard) error {
	f, err := os.Open(y.Paths["queue"])
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1<<16)
	return number(unix.SYS_MQ_TIMEDRECEIVE, f.Fd(), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
}

// controlGroup makes a control group that the user manages, as systemd does for its users.
func (k *yardkeeper) controlGroup() string {
	dir := filepath.Join(k.spec.Dir, "cgroup")
	check(os.Mkdir(dir, 0o755))
	check(unix.Mount("cgroup2", dir, "cgroup2", 0, ""))
	group := filepath.Join(dir, filepath.Base(k.spec.Dir))
	check(os.Mkdir(group, 0o755))
	for _, name := range []string{"", "cgroup.procs", "cgroup.freeze", "cgroup.kill"} {
		check(os.Chown(filepath.Join(group, name), k.UID, k.UID))
	}
	check(os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(k.Neighbor.PID)), 0))
	k.end = append(k.end, func() {
		k.neighbor.cmd.Process.Kill()
		k.neighbor.cmd.Wait()
		check(os.Remove(group))
	})
	return group
}

func number(call uintptr, args ...uintptr) error {
	var all [6]uintptr
	copy(all[:], args)
	if _, _, errno := unix.Syscall6(call, all[0], all[1], all[2], all[3], all[4], all[5]); errno != 0 {
		return errno
	}
	return nil
}

// attach attaches and detaches. The kernel ties a debugger to its thread.
func attach(pid int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	if err := unix.PtraceInterrupt(pid); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return err
	}
	return unix.PtraceDetach(pid)
}

func readMemory(y *yard) error {
	b := make([]byte, len(y.Neighbor.Secret))
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMReadv(y.Neighbor.PID, local, []unix.RemoteIovec{{Base: uintptr(y.Neighbor.Address), Len: len(b)}}, 0)
	if err != nil {
		return err
	}
	if string(b[:n]) != y.Neighbor.Secret {
		return fmt.Errorf("something else: %q", b[:n])
	}
	return nil
}

func contains(path, want string) error {
	data, err := os.ReadFile(path)
	if err == nil && !bytes.Contains(data, []byte(want)) {
		return fmt.Errorf("%s has %q", path, data)
	}
	return err
}

func containsAt(path string, offset uint64, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, len(want))
	if _, err := f.ReadAt(b, int64(offset)); err != nil || string(b) != want {
		return fmt.Errorf("%q, %w", b, err)
	}
	return nil
}

func copyDescriptor(pid, fd int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	return copyByPidfd(pidfd, fd)
}

func copyByPidfd(pidfd, fd int) error {
	_, err := unix.PidfdGetfd(pidfd, fd, 0)
	return err
}

// compareDescriptors asks whether two processes have the same file open.
func compareDescriptors(pid int) error {
	const kcmpFile = 0
	return number(unix.SYS_KCMP, uintptr(pid), uintptr(os.Getpid()), kcmpFile, 0, 0)
}

// queueSignal sends a signal with a value.
func queueSignal(pid int) error {
	var info [128]byte
	*(*int32)(unsafe.Pointer(&info[0])) = int32(attackSignal)
	*(*int32)(unsafe.Pointer(&info[8])) = -1 // SI_QUEUE
	return number(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(attackSignal), uintptr(unsafe.Pointer(&info[0])))
}

// limitNeighbor changes a limit of another process. With that of CPU time, it could end it.
func limitNeighbor(y *yard) error {
	var now unix.Rlimit
	if err := unix.Prlimit(y.Neighbor.PID, unix.RLIMIT_CORE, nil, &now); err != nil {
		return err
	}
	return unix.Prlimit(y.Neighbor.PID, unix.RLIMIT_CORE, &now, nil)
}

func setns(pid int, kind string) error {
	fd, err := unix.Open(proc(pid, "ns", kind), unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, 0)
}

// parentNamespace gets a descriptor of the user namespace above.
func parentNamespace(*yard) error {
	fd, err := unix.Open("/proc/self/ns/user", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	_, err = unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
	return err
}

// askForSignals has the kernel send signals to another process when a file is ready.
func askForSignals(y *yard) error {
	noticed := filepath.Join(y.Dir, signalled)
	os.Remove(noticed)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	const setSignal = 10 // F_SETSIG
	for _, c := range []struct{ command, value int }{
		{unix.F_SETOWN, y.Neighbor.PID}, {setSignal, int(noticedSignal)}, {unix.F_SETFL, unix.O_ASYNC},
	} {
		if _, err := unix.FcntlInt(uintptr(pair[0]), c.command, c.value); err != nil {
			return err
		}
	}
	if _, err := unix.Write(pair[1], []byte("x")); err != nil {
		return err
	}
	for range 100 {
		if _, err := os.Stat(noticed); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond) // for another process
	}
	return errors.New("the neighbor got no signal")
}
