package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// fence is an `authsome run --isolate` whose command opens connections from inside, and
// passes them out to the clients of this process. So they are measured as those of other
// proxies are, in the same rounds.
type fence struct {
	process *process
	ready   proxyReady

	mu    sync.Mutex // guards asking for one connection at a time
	child *net.UnixConn
}

// startFence starts the fence, unless it runs.
func (l *lab) startFence(ctx context.Context, up endpoints) (*process, proxyReady, error) {
	if l.fence != nil {
		return l.fence.process, l.fence.ready, nil
	}
	home := filepath.Join(l.dir, "isolated")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, proxyReady{}, fmt.Errorf("make a home: %w", err)
	}
	env := environment(home, l.upstreamCA)
	if err := connectProvider(ctx, l.binary, env); err != nil {
		return nil, proxyReady{}, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, proxyReady{}, err
	}
	defer theirs.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, proxyReady{}, fmt.Errorf("find this binary: %w", err)
	}
	args := append([]string{"run", "--quiet", "--isolate"}, upstreamFlags(up, l.upstreamCA)...)
	cmd := exec.CommandContext(ctx, l.binary, append(args, "--", self, childCommand, "-name", insideName)...)
	cmd.Env, cmd.Stdin = env, theirs
	f := &fence{child: ours}
	if f.process, err = startWith(ctx, isolated, cmd, ours, &f.ready); err != nil {
		return nil, proxyReady{}, err
	}
	l.processes, l.fence = append(l.processes, f.process), f
	return f.process, f.ready, nil
}

// socketPair returns two connected sockets, the second of which is for a child.
func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("use a pair of sockets: %w", err)
	}
	return c.(*net.UnixConn), theirs, nil
}

// dial returns a connection that the child has opened.
func (f *fence) dial(_ context.Context, _, address string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := fmt.Fprintln(f.child, address); err != nil {
		return nil, fmt.Errorf("ask for a connection from inside: %w", err)
	}
	oob := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := f.child.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, fmt.Errorf("receive a connection from inside: %w", err)
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(errors.New("the child sent no connection"), err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, fmt.Errorf("receive a connection from inside: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "connection from inside")
	defer file.Close()
	return net.FileConn(file)
}

// dialInside is the command in the fence. It opens a connection to each address that it
// reads from standard input, a socket, and sends it there. It looks up each address once,
// because the measured process answers DNS too.
func dialInside() error {
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	if err != nil {
		return fmt.Errorf("HTTPS_PROXY: %w", err)
	}
	pem, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		return fmt.Errorf("SSL_CERT_FILE: %w", err)
	}
	if err := announce(proxyReady{Proxy: proxy.Host, Authority: string(pem)}); err != nil {
		return err
	}
	parent, err := net.FileConn(os.Stdin)
	if err != nil {
		return fmt.Errorf("use standard input: %w", err)
	}
	known := make(map[string]*net.TCPAddr)
	addresses := bufio.NewScanner(parent)
	for addresses.Scan() {
		address := addresses.Text()
		if known[address] == nil {
			if known[address], err = net.ResolveTCPAddr("tcp", address); err != nil {
				return err
			}
		}
		if err := passConnection(parent.(*net.UnixConn), known[address]); err != nil {
			return err
		}
	}
	return addresses.Err()
}

func passConnection(to *net.UnixConn, address *net.TCPAddr) error {
	c, err := net.DialTCP("tcp", nil, address)
	if err != nil {
		return err
	}
	defer c.Close()
	file, err := c.File()
	if err != nil {
		return err
	}
	defer file.Close()
	_, _, err = to.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(file.Fd())), nil)
	return err
}
