package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// What a proxy may use more at the end of a soak than at its start.
const (
	soakMemory     = 24 << 10 // kB, comparing peaks
	soakGoroutines = 4        // at rest; also for descriptors
)

// soak is a running load. Its workers check every answer.
type soak struct {
	t      *testing.T
	r      *rig
	p      *proxyProcess
	tokens *tokenService

	http1, http2, fresh *http.Client // fresh opens a connection for each request

	mu     sync.Mutex     // guards all below
	done   map[string]int // finished operations, by kind
	failed map[string]int
	errs   []string // the first few
}

// work is one kind of load: so many workers, each of which begins an operation at most
// once in an interval.
type work struct {
	kind    string
	workers int
	every   time.Duration
	do      func() error
}

// TestSoak sends a mixed load through one proxy for AUTHSOME_SOAK_TIME. No operation may
// fail, every request must arrive with the right credential, and the memory, goroutines and
// descriptors of the proxy must stay flat.
func TestSoak(t *testing.T) {
	length := 10 * time.Second
	if text := os.Getenv("AUTHSOME_SOAK_TIME"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	s := newSoak(t)
	s.load(max(5*time.Second, length/20)) // the warm-up
	before := s.atRest()
	s.clear()
	start := time.Now()
	samples := s.load(length)
	after := s.atRest()
	t.Log(s.summary(time.Since(start), samples, before, after))
	for kind, n := range s.failed {
		t.Errorf("%s: %d errors", kind, n)
	}
	for _, err := range s.errs {
		t.Error(err)
	}
	if want := int(length.Seconds()) / tokenLife; s.tokens.count() < want-1 {
		t.Errorf("%d refreshes, want %d", s.tokens.count(), want)
	}
	// Without a collection, memory at rest is at a random point between two of them; peaks
	// can be compared.
	early, late := firstAndLast(samples)
	if late.memory > early.memory+soakMemory {
		t.Errorf("peaks of the first quarter: %v; of the last quarter: %v", early, late)
	}
	if after.goroutines > before.goroutines+soakGoroutines || after.descriptors > before.descriptors+soakGoroutines {
		t.Errorf("at rest before: %v; after: %v", before, after)
	}
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{t: t, r: newRig(t)}
	s.tokens = startTokenService(t, s.r)
	s.p = s.r.startProxy(s.tokens.flags...)
	s.http1, s.http2, s.fresh = s.p.client(), s.p.client(), s.p.client()
	s.http2.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	s.fresh.Transport.(*http.Transport).DisableKeepAlives = true
	for _, c := range []*http.Client{s.http1, s.http2} {
		c.Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	}
	s.clear()
	return s
}

func (s *soak) works() []work {
	const api, other = "https://" + routeHost, "https://" + otherHost
	return []work{
		{"HTTP/1.1", 4, 10 * time.Millisecond, func() error { return s.get(s.http1, api+"/x", "HTTP/1.1", "hello from "+routeHost) }},
		{"HTTP/2", 4, 10 * time.Millisecond, func() error { return s.get(s.http2, api+"/x", "HTTP/2.0", "hello from "+routeHost) }},
		{"new connections", 2, 50 * time.Millisecond, func() error { return s.get(s.fresh, api+"/x", "HTTP/1.1", "hello from "+routeHost) }},
		{"passed through", 2, 50 * time.Millisecond, func() error { return s.get(s.fresh, other+"/x", "HTTP/1.1", "hello from "+otherHost) }},
		{"refreshed tokens", 2, 20 * time.Millisecond, func() error { return s.get(s.http2, "https://"+tokenHost+"/", "", "valid token") }},
		{"event streams", 2, 50 * time.Millisecond, s.stream},
		{"WebSockets", 2, 50 * time.Millisecond, s.socket},
		{"uploads", 2, 50 * time.Millisecond, s.upload},
		{"downloads", 2, 50 * time.Millisecond, s.download},
		{"logins", 1, 2 * time.Second, func() error { return s.command(s.r.key, "login", "upstream", "--key-stdin", "--force") }},
		{"logins and logouts", 1, 3 * time.Second, func() error {
			return errors.Join(s.command("re_0123456789abcdef", "login", "resend", "--key-stdin", "--no-verify"), s.command("", "logout", "resend"))
		}},
		{"reloads", 1, time.Second, func() error { return s.p.cmd.Process.Signal(syscall.SIGHUP) }},
		{"checks of arrivals", 1, 500 * time.Millisecond, s.check},
	}
}

// load works for a time, and returns what the proxy used meanwhile.
func (s *soak) load(length time.Duration) (samples []usage) {
	ctx, cancel := context.WithTimeout(s.t.Context(), length)
	defer cancel()
	var all sync.WaitGroup
	for _, w := range s.works() {
		for range w.workers {
			all.Go(func() { s.repeat(ctx, w) })
		}
	}
	every := time.NewTicker(max(length/200, time.Second))
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			all.Wait()
			return samples
		case <-every.C:
			samples = append(samples, s.p.usage())
		}
	}
}

func (s *soak) repeat(ctx context.Context, w work) {
	every := time.NewTicker(w.every)
	defer every.Stop()
	for {
		err := w.do()
		s.mu.Lock()
		s.done[w.kind]++
		if err != nil {
			s.failed[w.kind]++
			if len(s.errs) < 20 {
				s.errs = append(s.errs, fmt.Sprintf("%s %s: %v", time.Now().Format(time.TimeOnly), w.kind, err))
			}
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (s *soak) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.failed = make(map[string]int), make(map[string]int)
	s.tokens.clear()
}

// atRest returns what the proxy uses without clients.
func (s *soak) atRest() usage {
	s.t.Helper()
	if err := s.check(); err != nil {
		s.t.Error(err)
	}
	for _, c := range []*http.Client{s.http1, s.http2, s.fresh} {
		c.CloseIdleConnections()
	}
	if err := s.p.cmd.Process.Signal(syscall.SIGHUP); err != nil { // closes idle connections to services
		s.t.Fatal(err)
	}
	var now usage
	waitFor(s.t, "all connections are closed, and nothing changes", func() bool {
		last := now
		now = s.p.usage()
		return now.connections == 0 && now.goroutines == last.goroutines && now.descriptors == last.descriptors
	})
	return now
}

// get requests a URL. The answer must have the protocol, if it is given, and the body.
func (s *soak) get(c *http.Client, url, proto, want string) error {
	response, err := c.Get(url)
	if err != nil {
		return err
	}
	return wantAnswer(response, proto, want)
}

func wantAnswer(response *http.Response, proto, want string) error {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || proto != "" && response.Proto != proto || string(body) != want {
		return fmt.Errorf("%s %s, %v, %.200q", response.Proto, response.Status, err, body)
	}
	return nil
}

const soakEvents = 20

// soakEvent writes the answer of the service for streams, and reports whether the request
// asks for one.
func soakEvent(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/ticks" {
		return false
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for n := range soakEvents {
		fmt.Fprintf(w, "data: %d\n\n", n)
		if http.NewResponseController(w).Flush() != nil {
			break
		}
		time.Sleep(5 * time.Millisecond) // the stream's pace
	}
	return true
}

func (s *soak) stream() error {
	var want strings.Builder
	for n := range soakEvents {
		fmt.Fprintf(&want, "data: %d\n\n", n)
	}
	return s.get(s.http2, "https://"+routeHost+"/ticks", "HTTP/2.0", want.String())
}

func (s *soak) socket() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "wss://"+routeHost+"/socket", &websocket.DialOptions{HTTPClient: s.http1})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 20)
	for range 5 {
		sent := randomBytes(64 << 10)
		if err := c.Write(ctx, websocket.MessageBinary, sent); err != nil {
			return err
		}
		if _, got, err := c.Read(ctx); err != nil || !bytes.Equal(got, sent) {
			return fmt.Errorf("echo of %d bytes: %d bytes, %w", len(sent), len(got), err)
		}
	}
	return c.Close(websocket.StatusNormalClosure, "done")
}

func randomBytes(most int) []byte {
	b := make([]byte, 1+mathrand.N(most))
	rand.Read(b)
	return b
}

func (s *soak) upload() error {
	sent := randomBytes(1 << 20)
	sum := sha256.Sum256(sent)
	response, err := s.http2.Post("https://"+routeHost+"/hash", "application/octet-stream", bytes.NewReader(sent))
	if err != nil {
		return err
	}
	return wantAnswer(response, "HTTP/2.0", hex.EncodeToString(sum[:]))
}

func (s *soak) download() error {
	n := 1 + mathrand.N(int64(1<<20))
	response, err := s.http1.Get(fmt.Sprintf("https://%s/down?n=%d", routeHost, n))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if got, err := io.Copy(io.Discard, response.Body); err != nil || got != n || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d of %d bytes: %w", response.Status, got, n, err)
	}
	return nil
}

// command runs a command in another process.
func (s *soak) command(stdin string, args ...string) error {
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Stdin = s.r.environment(), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return nil
}

// check looks at what arrived since the last check: the right credential at the service,
// and none where connections are passed through.
func (s *soak) check() error {
	for _, a := range s.r.arrivals() {
		if a.Host == routeHost && !a.Authorized || a.Host == otherHost && a.Authorizations != 0 {
			return fmt.Errorf("arrived: %+v", a)
		}
	}
	return nil
}

// summary says what was done, and what the proxy used.
func (s *soak) summary(took time.Duration, samples []usage, before, after usage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "soak of %v\n", took.Round(time.Second))
	total := 0
	for _, w := range s.works() {
		fmt.Fprintf(&b, "  %-20s %8d done %4d errors\n", w.kind, s.done[w.kind], s.failed[w.kind])
		total += s.done[w.kind]
	}
	fmt.Fprintf(&b, "  %-20s %8d\n  %-20s %8d\n", "in all", total, "refreshes", s.tokens.count())
	fmt.Fprintf(&b, "  at rest, before:          %v\n  at rest, after:           %v\n", before, after)
	early, late := firstAndLast(samples)
	fmt.Fprintf(&b, "  peaks, first quarter:     %v\n  peaks, last quarter:      %v\n", early, late)
	return b.String()
}

// firstAndLast returns the peaks of the first quarter of the samples, and of the last.
func firstAndLast(samples []usage) (early, late usage) {
	peaks := func(some []usage) (most usage) {
		for _, u := range some {
			most.goroutines, most.descriptors, most.memory = max(most.goroutines, u.goroutines), max(most.descriptors, u.descriptors), max(most.memory, u.memory)
			most.connections, most.tunnels = max(most.connections, u.connections), max(most.tunnels, u.tunnels)
		}
		return most
	}
	quarter := len(samples) / 4
	return peaks(samples[:quarter]), peaks(samples[len(samples)-quarter:])
}
