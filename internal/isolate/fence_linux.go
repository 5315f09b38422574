package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Fence is a process in separate namespaces that waits to become the command. Its
// listeners accept what the command connects to.
type Fence struct {
	Cmd      *exec.Cmd      // started; Wait is for who calls [Fence.Exec]
	Proxy    net.Listener   // at 127.0.0.1, for clients that know a proxy
	Captured []net.Listener // for clients that do not; in the order of Options.Ports and then Options.Listen
	UDPDNS   net.PacketConn // port 53 of every address
	TCPDNS   net.Listener
	Refusals []*Refusals // for [Blocked.Watch]

	control *control
	spare   chan spare // those that are not in use
	end     context.CancelFunc
	ended   bool // Cmd.Wait was called, or is for who called Exec
	once    sync.Once
}

// capabilities are what the stage needs in its namespaces. It gives them all up before it
// becomes the command.
var capabilities = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_RESOURCE, unix.CAP_DAC_OVERRIDE}

// stageTime limits how long the stage may prepare, which takes some milliseconds.
const stageTime = 20 * time.Second

// Start starts a fence and prepares it. Its error is an [*UnsupportedError] if this machine
// does not allow one, and another error if the options are at fault. The context ends the process inside.
func Start(ctx context.Context, o Options) (*Fence, error) {
	f, err := Begin(ctx, o.Streams, o.Getenv)
	if err == nil {
		err = f.Prepare(o)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Begin starts the process of a fence, so that it can get ready while this process does
// other things. [Fence.Prepare] must follow. The goroutine keeps its thread until Close,
// because the kernel kills the process inside when the thread that started it ends.
func Begin(ctx context.Context, streams Streams, getenv func(string) string) (*Fence, error) {
	runtime.LockOSThread()
	ctx, end := context.WithCancel(ctx)
	f := &Fence{end: end}
	if err := f.start(ctx, streams); err != nil {
		end()
		runtime.UnlockOSThread()
		return nil, diagnose(getenv, err)
	}
	return f, nil
}

// Prepare covers what is hidden and makes the sockets. After an error, the fence is closed.
func (f *Fence) Prepare(o Options) error {
	p, err := o.plan()
	if err != nil {
		f.Close()
		return err
	}
	if err := f.prepare(p); err != nil {
		f.Close()
		return diagnose(o.Getenv, err)
	}
	return nil
}

// start starts the stage.
func (f *Fence) start(ctx context.Context, streams Streams) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	f.control = newControl(conn.(*net.UnixConn))
	// The stage gets its end under a number that no descriptor of the command has. Another
	// program that this process starts at this moment would get it too, and keep it open
	// until it ends: it does no harm.
	inherited, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD, firstControl)
	if err != nil {
		return err
	}
	defer unix.Close(inherited)
	f.Cmd = exec.CommandContext(ctx, "/proc/self/exe", strconv.Itoa(inherited))
	f.Cmd.Args[0] = stageName
	f.Cmd.Stdin, f.Cmd.Stdout, f.Cmd.Stderr = streams.In, streams.Out, streams.Err
	f.Cmd.Cancel = func() error { return f.Cmd.Process.Signal(unix.SIGTERM) }
	f.Cmd.WaitDelay = 10 * time.Second // then it is killed
	f.Cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWIPC,
		AmbientCaps: capabilities,
		Pdeathsig:   unix.SIGKILL,
	}
	return f.Cmd.Start()
}

// firstControl is above the descriptors that a shell gives to commands.
const firstControl = 100

// prepare has the stage carry out the plan, and takes its sockets.
func (f *Fence) prepare(p *plan) error {
	f.control.conn.SetDeadline(time.Now().Add(stageTime))
	defer f.control.conn.SetDeadline(time.Time{})
	if err := f.control.out.Encode(p); err != nil {
		return fmt.Errorf("give the plan to the isolated process: %w", err)
	}
	fds, err := f.control.receiveSockets()
	if err != nil {
		return fmt.Errorf("receive the sockets of the isolated process: %w", err)
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		unix.SetNonblock(fd, true)
		files[i] = os.NewFile(uintptr(fd), "isolated socket")
	}
	defer func() {
		for _, file := range files {
			file.Close()
		}
	}()
	var r result
	if err := f.control.in.Decode(&r); err != nil {
		return errors.New("the isolated process ended before it was ready")
	}
	if err := r.err(); err != nil {
		return err
	}
	listeners := len(p.Ports) + len(p.Listen)
	refusals := otherSockets + listeners + len(spareFamilies)*p.Spare
	if len(files) <= refusals || len(files) > refusals+len(refusalProtocols) {
		return fmt.Errorf("the isolated process has %d sockets", len(files))
	}
	if err := f.takeListeners(files[:otherSockets+listeners]); err != nil {
		return err
	}
	if err := f.takeSpare(files[otherSockets+listeners : refusals]); err != nil {
		return err
	}
	for i, file := range files[refusals:] {
		c, err := net.FilePacketConn(file)
		if err != nil {
			return err
		}
		f.Refusals = append(f.Refusals, &Refusals{c.(*net.IPConn), refusalProtocols[i].protocol})
	}
	return nil
}

// takeListeners makes listeners of the sockets.
func (f *Fence) takeListeners(files []*os.File) (err error) {
	if f.Proxy, err = net.FileListener(files[proxySocket]); err != nil {
		return err
	}
	if f.UDPDNS, err = net.FilePacketConn(files[udpDNSSocket]); err != nil {
		return err
	}
	if f.TCPDNS, err = net.FileListener(files[tcpDNSSocket]); err != nil {
		return err
	}
	for _, file := range files[otherSockets:] {
		l, err := net.FileListener(file)
		if err != nil {
			return err
		}
		f.Captured = append(f.Captured, l)
	}
	return nil
}

// takeSpare keeps the spare sockets.
func (f *Fence) takeSpare(files []*os.File) error {
	f.spare = make(chan spare, len(files)/len(spareFamilies))
	for pair := range slices.Chunk(files, len(spareFamilies)) {
		var s spare
		for i, file := range pair {
			fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				s.close()
				return err
			}
			s = append(s, fd)
			if err := unix.SetNonblock(s[i], true); err != nil {
				s.close()
				return err
			}
		}
		f.spare <- s
	}
	return nil
}

// Exec makes the isolated process the command: a program, looked for in PATH, with the
// arguments after it, and its environment. It returns when the program has started, and
// otherwise an error that can be examined like one of [exec.Cmd.Start]. After success, the
// caller must call Wait of f.Cmd.
func (f *Fence) Exec(args, env []string) error {
	f.ended = true
	err := f.exec(args, env)
	if err != nil {
		f.Cmd.Process.Kill()
		f.Cmd.Wait()
	}
	return err
}

func (f *Fence) exec(args, env []string) error {
	if err := f.control.out.Encode(command{asBinary(args), asBinary(env)}); err != nil {
		return fmt.Errorf("give the command to the isolated process: %w", err)
	}
	var r result
	switch err := f.control.in.Decode(&r); {
	case errors.Is(err, io.EOF): // execve has closed the other end
		return nil
	case err != nil:
		return fmt.Errorf("wait for the isolated process: %w", err)
	}
	return r.err()
}

// End asks the command to end, and kills it after 10 seconds.
func (f *Fence) End() { f.end() }

// Close ends the isolated process, unless [Fence.Exec] was called, and closes the sockets.
// It is called by the goroutine that called Start.
func (f *Fence) Close() {
	f.once.Do(func() {
		f.control.conn.Close()
		if !f.ended {
			f.Cmd.Process.Kill()
			f.Cmd.Wait()
		}
		f.end()
		for _, c := range append([]io.Closer{f.Proxy, f.UDPDNS, f.TCPDNS}, closers(f.Captured)...) {
			if c != nil {
				c.Close()
			}
		}
		for _, r := range f.Refusals {
			r.Close()
		}
		for range len(f.spare) {
			(<-f.spare).close()
		}
		runtime.UnlockOSThread()
	})
}

func closers(all []net.Listener) []io.Closer {
	var c []io.Closer
	for _, l := range all {
		c = append(c, l)
	}
	return c
}
