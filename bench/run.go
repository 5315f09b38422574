package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// run starts everything, measures, and prints.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "authsome-bench-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begin := time.Now()
	l := &lab{dir: dir, upstreamCA: filepath.Join(dir, "upstream.pem")}
	defer l.stop()
	all, err := l.startAll(ctx, s)
	if err != nil {
		return err
	}
	var results []result
	for _, w := range workloads(s) {
		if !chosen(s.only, w.name) {
			continue
		}
		if !s.json {
			fmt.Fprintf(stderr, "bench: %s\n", w.title)
		}
		r, err := compare(ctx, s, w, all)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	rep := report{Machine: thisMachine(), Settings: settingsOf(s), Results: results, Memory: memories(all), Took: time.Since(begin).Seconds()}
	if s.json {
		return rep.writeJSON(stdout)
	}
	return rep.writeText(stdout)
}

// lab is a temporary directory with the processes of a run.
type lab struct {
	dir        string
	upstreamCA string // file with the upstream's authority
	binary     string // authsome; "" until a peer needs it
	processes  []*process
	fence      *fence // nil until a peer needs it
}

func (l *lab) stop() {
	for _, p := range l.processes {
		p.stop()
	}
}

// startAll starts the upstream and the chosen peers.
func (l *lab) startAll(ctx context.Context, s settings) ([]running, error) {
	var up upstreamReady
	if _, err := l.startChild(ctx, upstreamName, &up); err != nil {
		return nil, err
	}
	if err := os.WriteFile(l.upstreamCA, []byte(up.Authority), 0o600); err != nil {
		return nil, fmt.Errorf("write the upstream's certificate: %w", err)
	}
	var all []running
	l.binary = s.authsome
	for _, p := range peers() {
		if !chosen(s.peers, p.name) || p.isolated && !s.isolate && s.peers == "" {
			continue
		}
		if p.serve == nil && l.binary == "" {
			var err error
			if l.binary, err = buildAuthsome(ctx, l.dir); err != nil {
				return nil, err
			}
		}
		r, err := l.startPeer(ctx, p, up.endpoints)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// startChild starts this binary as the upstream or a peer.
func (l *lab) startChild(ctx context.Context, name string, ready any, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this binary: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{childCommand, "-name", name}, args...)...)
	cmd.Env = environment(l.dir, l.upstreamCA)
	p, err := startProcess(ctx, name, cmd, ready)
	if err == nil {
		l.processes = append(l.processes, p)
	}
	return p, err
}

func (l *lab) startPeer(ctx context.Context, p peer, up endpoints) (r running, err error) {
	r.peer = p
	r.target.dial = (&net.Dialer{}).DialContext
	var ready proxyReady
	switch {
	case p.serve != nil:
		r.process, err = l.startChild(ctx, p.name, &ready, "-http1", up.HTTP1, "-http2", up.HTTP2)
	case p.isolated:
		r.process, ready, err = l.startFence(ctx, up)
		r.target.dial = l.fence.dial
	default:
		if r.process, ready, err = startAuthsome(ctx, l.binary, up, l.dir, l.upstreamCA); err == nil {
			l.processes = append(l.processes, r.process)
		}
	}
	if err != nil {
		return r, err
	}
	r.target.roots = x509.NewCertPool()
	if !r.target.roots.AppendCertsFromPEM([]byte(ready.Authority)) {
		return r, fmt.Errorf("%s printed no certificate", p.name)
	}
	if p.name != captured {
		r.target.proxy = ready.Proxy
	}
	r.atStart, _, err = memory(r.process.pid())
	return r, err
}

// compare gives every peer one window per round. Each round starts with the next
// peer, so that no peer is always the first.
func compare(ctx context.Context, s settings, w workload, all []running) (result, error) {
	var competitors []running
	for _, r := range all {
		if w.suits(r.peer) {
			competitors = append(competitors, r)
		}
	}
	samples := make(map[string][]sample)
	for round := range s.rounds {
		for i := range competitors {
			r := competitors[(round+i)%len(competitors)]
			window := s.window
			if r.slow {
				window /= 4
			}
			one, err := measure(ctx, r, w, window)
			if err != nil {
				return result{}, fmt.Errorf("%s, %s: %w%s", w.name, r.name, err, r.process.stderr.note())
			}
			samples[r.name] = append(samples[r.name], one)
		}
	}
	return resultOf(w, competitors, samples), nil
}
