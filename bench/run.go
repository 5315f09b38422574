package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
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
	lot, stop, err := startAll(ctx, s, dir)
	if err != nil {
		return err
	}
	defer stop()
	var results []result
	for _, w := range workloads(s) {
		if !chosen(s.only, w.name) {
			continue
		}
		if !s.json {
			fmt.Fprintf(stderr, "bench: %s\n", w.title)
		}
		r, err := compete(ctx, s, w, lot)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	rep := report{Machine: thisMachine(), Settings: settingsOf(s), Results: results, Memory: memories(lot), Took: time.Since(begin).Seconds()}
	if s.json {
		return rep.writeJSON(stdout)
	}
	return rep.writeText(stdout)
}

// startAll starts the upstream and the chosen peers.
func startAll(ctx context.Context, s settings, dir string) (lot []running, stop func(), err error) {
	var started []*process
	stopAll := func() {
		for _, p := range started {
			p.stop()
		}
	}
	defer func() {
		if err != nil {
			stopAll()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this binary: %w", err)
	}
	upstreamCA := filepath.Join(dir, "upstream.pem")
	env := environment(dir, upstreamCA)
	child := func(name string, ready any, args ...string) (*process, error) {
		cmd := exec.CommandContext(ctx, self, append([]string{childCommand, "-name", name}, args...)...)
		cmd.Env = env
		p, err := startProcess(ctx, name, cmd, ready)
		if err == nil {
			started = append(started, p)
		}
		return p, err
	}
	var up upstreamReady
	if _, err := child(upstreamName, &up); err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(upstreamCA, []byte(up.Authority), 0o600); err != nil {
		return nil, nil, fmt.Errorf("write the upstream's certificate: %w", err)
	}
	for _, p := range peers() {
		if !chosen(s.peers, p.name) {
			continue
		}
		var ready proxyReady
		var proc *process
		if p.serve != nil {
			proc, err = child(p.name, &ready, "-http1", up.HTTP1, "-http2", up.HTTP2)
		} else {
			binary := s.authsome
			if binary == "" {
				if binary, err = buildAuthsome(ctx, dir); err != nil {
					return nil, nil, err
				}
			}
			if proc, ready, err = startAuthsome(ctx, binary, up.endpoints, dir, upstreamCA); err == nil {
				started = append(started, proc)
			}
		}
		if err != nil {
			return nil, nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(ready.Authority)) {
			return nil, nil, fmt.Errorf("%s gave no certificate", p.name)
		}
		r := running{peer: p, process: proc, target: target{proxy: ready.Proxy, roots: roots}}
		if r.atStart, _, err = memory(proc.pid()); err != nil {
			return nil, nil, err
		}
		lot = append(lot, r)
	}
	return lot, stopAll, nil
}

// compete gives every peer one window a round. Each round begins with another
// peer, so that none always follows the same one.
func compete(ctx context.Context, s settings, w workload, lot []running) (result, error) {
	var field []running
	for _, r := range lot {
		if w.serves(r.peer) {
			field = append(field, r)
		}
	}
	samples := make(map[string][]sample)
	for round := range s.rounds {
		for i := range field {
			r := field[(round+i)%len(field)]
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
	return resultOf(w, field, samples), nil
}
