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
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// process is a child process.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *tail
	exited chan struct{}
}

// startProcess starts cmd and decodes into ready the JSON that cmd prints when it is
// ready. Its standard input is a pipe that stays open until it has to stop.
func startProcess(ctx context.Context, name string, cmd *exec.Cmd, ready any) (*process, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return startWith(ctx, name, cmd, stdin, ready)
}

// startWith is startProcess for a command that has its standard input, and stops when
// stdin is closed.
func startWith(ctx context.Context, name string, cmd *exec.Cmd, stdin io.Closer, ready any) (*process, error) {
	p := &process{name: name, cmd: cmd, stdin: stdin, stderr: &tail{}, exited: make(chan struct{})}
	cmd.Stderr = p.stderr
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
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case err = <-decoded:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = fmt.Errorf("not ready after %s", startTimeout)
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w%s", name, err, p.stderr.note())
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the child to exit, and kills it after stopTimeout.
func (p *process) stop() {
	p.stdin.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.exited
	}
}

// tail keeps the end of a child's standard error for error messages.
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
	return "\nstandard error: " + strings.TrimSpace(string(t.buf))
}

// environment returns the environment of children. It has no proxy variables, home
// as the home directory, and the upstream's authority as the only one to trust.
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
