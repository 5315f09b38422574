package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second
	stopTime  = 5 * time.Second
)

// process is a child that serves.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *tail
	exited chan struct{}
}

// startProcess runs cmd and decodes into ready the JSON that it prints once it
// serves.
func startProcess(ctx context.Context, name string, cmd *exec.Cmd, ready any) (*process, error) {
	p := &process{name: name, cmd: cmd, stderr: &tail{}, exited: make(chan struct{})}
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.stdin = stdin
	stdout, stdoutWriter, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	cmd.Stdout = stdoutWriter
	err = cmd.Start()
	stdoutWriter.Close()
	if err != nil {
		stdout.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	decoded := make(chan error, 1)
	go func() {
		decoder := json.NewDecoder(stdout)
		decoded <- decoder.Decode(ready)
		io.Copy(io.Discard, stdout)
		stdout.Close()
	}()
	go func() {
		cmd.Wait()
		close(p.exited)
	}()
	timeout := time.NewTimer(startTime)
	defer timeout.Stop()
	select {
	case err = <-decoded:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = fmt.Errorf("not ready after %s", startTime)
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w%s", name, err, p.stderr.note())
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the child to end, and after a while insists.
func (p *process) stop() {
	p.stdin.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTime):
		p.cmd.Process.Kill()
		<-p.exited
	}
}

// tail keeps the end of what a child said, for the message when it fails.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 2 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	t.buf = t.buf[max(0, len(t.buf)-most):]
	return len(b), nil
}

func (t *tail) note() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(bytes.TrimSpace(t.buf)) == 0 {
		return ""
	}
	return "\nit said: " + strings.TrimSpace(string(t.buf))
}

// environment is what children get: no proxy to go through, no home but home, and
// only the upstream's authority to trust.
func environment(home, upstreamCA string) []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		upper := strings.ToUpper(name)
		if strings.HasSuffix(upper, "_PROXY") || strings.HasPrefix(upper, "AUTHSOME_") || upper == "HOME" || strings.HasPrefix(upper, "SSL_CERT_") {
			continue
		}
		env = append(env, v)
	}
	return append(env, "HOME="+home, "AUTHSOME_HOME="+home+"/authsome", "SSL_CERT_FILE="+upstreamCA)
}
