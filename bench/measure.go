package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sample is the measurement of one peer in one workload during one window.
type sample struct {
	Requests  int64         `json:"requests"`
	Wall      time.Duration `json:"wall_ns"`
	CPU       time.Duration `json:"cpu_ns"` // of the proxy's process
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	Latencies int           `json:"latencies"` // number of latencies of which P50 and P99 are quantiles
}

// CPUPerRequest is the figure by which peers are compared.
func (s sample) CPUPerRequest() time.Duration { return s.CPU / time.Duration(max(s.Requests, 1)) }

// PerSecond is the throughput in requests per second.
func (s sample) PerSecond() float64 { return float64(s.Requests) / s.Wall.Seconds() }

// running is a started peer.
type running struct {
	peer
	process *process
	target  target // without a host and a credential, which depend on the workload
	atStart int64  // resident memory in bytes
}

// measure runs a workload against one peer. Clients send one request after another;
// after a warm-up, it counts the requests that end within the window.
func measure(ctx context.Context, r running, w workload, window time.Duration) (sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := r.target
	t.host, t.authorization = w.host, placeholder
	if r.blind {
		t.authorization = credential
	}
	workers, closeAll, err := newWorkers(ctx, t, w)
	if err != nil {
		return sample{}, err
	}
	defer closeAll()
	var all sync.WaitGroup
	var stop, counting atomic.Bool
	for _, k := range workers {
		all.Go(func() {
			if err := k.run(ctx, w, &stop, &counting); err != nil {
				cancel(err)
			}
		})
	}
	s, err := watch(ctx, r.process.pid(), workers, window, &counting)
	stop.Store(true)
	if err != nil {
		closeAll() // unblocks workers that wait for a response
	}
	all.Wait()
	if failed := context.Cause(ctx); failed != nil {
		return s, failed
	}
	if err != nil {
		return s, err
	}
	if s.Requests == 0 {
		return s, fmt.Errorf("no request ended within %s", window)
	}
	var latencies []time.Duration
	for _, k := range workers {
		latencies = append(latencies, k.latencies...)
	}
	slices.Sort(latencies)
	s.Latencies, s.P50, s.P99 = len(latencies), quantile(latencies, 0.50), quantile(latencies, 0.99)
	return s, nil
}

// watch lets the workers warm up, then reads clocks and counters at the start and
// the end of the window.
func watch(ctx context.Context, pid int, workers []*worker, window time.Duration, counting *atomic.Bool) (s sample, err error) {
	if err := pause(ctx, max(window/4, 40*time.Millisecond)); err != nil {
		return s, err
	}
	requests := func() (n int64) {
		for _, k := range workers {
			n += k.done.Load()
		}
		return n
	}
	counting.Store(true)
	begin, before := time.Now(), requests()
	cpuBefore, err := cpuTime(pid)
	if err != nil {
		return s, err
	}
	if err := pause(ctx, window); err != nil {
		return s, err
	}
	cpuAfter, err := cpuTime(pid)
	s.Wall, s.Requests, s.CPU = time.Since(begin), requests()-before, cpuAfter-cpuBefore
	counting.Store(false)
	return s, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// worker sends the requests of one client, one after another.
type worker struct {
	client    client
	latencies []time.Duration
	done      atomic.Int64
}

// newWorkers creates the clients of a workload. Each of them has sent one request, so
// that its connection is open; HTTP/2 clients share the first one.
func newWorkers(ctx context.Context, t target, w workload) (workers []*worker, closeAll func(), err error) {
	var shared *streams
	if w.http2 {
		shared = newStreams(t)
	}
	for range w.parallel {
		k := &worker{}
		if shared != nil {
			k.client = shared
		} else {
			k.client = &connection{target: t}
		}
		workers = append(workers, k)
	}
	closeAll = sync.OnceFunc(func() {
		for _, k := range workers {
			k.client.Close()
		}
	})
	for _, k := range workers {
		if _, err := k.ask(ctx, w); err != nil {
			closeAll()
			return nil, nil, err
		}
	}
	return workers, closeAll, nil
}

func (k *worker) ask(ctx context.Context, w workload) (time.Duration, error) {
	return w.ask(k.client, func() (*http.Response, error) { return k.client.Get(ctx, w.path) })
}

func (k *worker) run(ctx context.Context, w workload, stop, counting *atomic.Bool) error {
	for !stop.Load() {
		latency, err := k.ask(ctx, w)
		if err != nil {
			if stop.Load() || ctx.Err() != nil {
				return nil
			}
			return err
		}
		k.done.Add(1)
		if counting.Load() {
			k.latencies = append(k.latencies, latency)
		}
	}
	return nil
}
