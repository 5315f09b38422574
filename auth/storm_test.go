package auth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// This file shows "refresh once" with processes: this test binary is started
// again as one that makes many requests at the instant at which the token runs
// out, and is killed now and then.

// stormLimit bounds a round. Reaching it means that something hangs.
const stormLimit = 60 * time.Second

// rounds is how often the random storms are repeated.
func rounds(tb testing.TB) int {
	n, err := strconv.Atoi(os.Getenv("AUTHSOME_TEST_STORMS"))
	if err != nil {
		return 2
	}
	return n
}

func TestMain(m *testing.M) {
	if os.Getenv("STORM_DIR") != "" {
		os.Exit(stormProcess())
	}
	os.Exit(m.Run())
}

// tally is how a process's requests ended.
type tally struct {
	OK          int
	Refused     int            // by the API: a dead token was sent
	Login       map[string]int // by code
	Unavailable int
	Other       []string
}

// stormProcess opens the profile, waits to be told to go, makes its requests, and
// says how they ended.
func stormProcess() int {
	set, err := providers.Load(filepath.Join(os.Getenv("STORM_DIR"), "providers"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	key, err := vault.ReadKey(os.Getenv("STORM_DIR"), vault.Place{Mode: vault.ModeLocalKey})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	v, err := vault.Open(filepath.Join(os.Getenv("STORM_DIR"), "profile"), key)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	a := &auth.Auth{Vault: v, Providers: set, Profile: "default", HTTP: &http.Client{Transport: named(os.Getenv("STORM_NAME"))}}
	if err := a.Reload(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return 1
	}
	at, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return 1
	}
	time.Sleep(time.Until(time.Unix(0, at)))
	n, err := strconv.Atoi(os.Getenv("STORM_REQUESTS"))
	if err != nil {
		return 1
	}
	t := tally{Login: make(map[string]int)}
	var mu sync.Mutex // guards t
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 32, MaxIdleConnsPerHost: 32}}
	for range n {
		all.Go(func() {
			status, err := stormRequest(a, client)
			mu.Lock()
			defer mu.Unlock()
			login, isLogin := errors.AsType[*auth.LoginRequiredError](err)
			switch {
			case isLogin:
				t.Login[login.Reason+" "+login.Code]++
			case errors.Is(err, auth.ErrRefreshUnavailable):
				t.Unavailable++
			case err != nil:
				t.Other = append(t.Other, err.Error())
			case status == http.StatusOK:
				t.OK++
			default:
				t.Refused++
			}
		})
	}
	all.Wait()
	a.Close()
	json.NewEncoder(os.Stdout).Encode(t)
	return 0
}

func stormRequest(a *auth.Auth, client *http.Client) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stormLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", os.Getenv("STORM_API")+"/api/", nil)
	if err != nil {
		return 0, err
	}
	if err := a.Apply(ctx, r, "live", "x"); err != nil {
		return 0, err
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response.StatusCode, nil
}

// named says on each request which process it comes from.
type named string

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Process", string(n))
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
}

// storm is one round: processes that share a profile whose token runs out.
type storm struct {
	t         *testing.T
	server    *server
	profile   *profile
	auth      *auth.Auth // the test's own
	end       time.Time
	processes map[string]*stormChild

	mu     sync.Mutex // guards killed
	killed map[string]bool
}

type stormChild struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr strings.Builder
}

func newStorm(t *testing.T, processes, requests int) *storm {
	t.Helper()
	s := &storm{t: t, server: startServer(t), end: time.Now().Add(400 * time.Millisecond), processes: make(map[string]*stormChild), killed: make(map[string]bool)}
	s.profile = s.server.profile(t)
	s.auth = s.profile.open(t)
	s.server.logIn(t, s.auth, s.end)
	for i := range processes {
		name := fmt.Sprint("p", i)
		c := &stormChild{cmd: exec.Command(os.Args[0])}
		c.cmd.Env = append(os.Environ(), "STORM_DIR="+s.profile.dir, "STORM_NAME="+name, "STORM_API="+s.server.URL, fmt.Sprint("STORM_REQUESTS=", requests))
		c.cmd.Stderr = &c.stderr
		out, err := c.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.stdout = bufio.NewReader(out)
		if c.stdin, err = c.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.cmd.Process.Kill() })
		s.processes[name] = c
	}
	for name, c := range s.processes {
		if line, err := c.stdout.ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("%s says %q, %v: %s", name, line, err, c.stderr.String())
		}
	}
	return s
}

func (s *storm) kill(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed[name] = true
	s.processes[name].cmd.Process.Kill()
}

func (s *storm) wasKilled(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed[name]
}

// run lets the processes go, and returns how the requests of those that were not
// killed ended.
func (s *storm) run() map[string]tally {
	s.t.Helper()
	for _, c := range s.processes {
		fmt.Fprintln(c.stdin, s.end.UnixNano())
	}
	stuck := time.AfterFunc(stormLimit, func() {
		for _, c := range s.processes {
			c.cmd.Process.Kill()
		}
	})
	tallies := make(map[string]tally)
	for name, c := range s.processes {
		out, readErr := io.ReadAll(c.stdout)
		err := c.cmd.Wait()
		if s.wasKilled(name) {
			continue
		}
		var t tally
		if err != nil || readErr != nil || json.Unmarshal(out, &t) != nil {
			s.t.Fatalf("%s: %v, %v, %q %s", name, err, readErr, out, c.stderr.String())
		}
		tallies[name] = t
	}
	if !stuck.Stop() {
		s.t.Fatal("the storm did not end")
	}
	return tallies
}

// check holds what happened against the rules, and reports whether the connection
// was lost.
func (s *storm) check(tallies map[string]tally, requests int) (lost bool) {
	s.t.Helper()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	c := stored(s.t, s.auth, "live")
	held := c.RefreshToken.Reveal()
	if len(s.server.rotations) != 1 {
		s.t.Errorf("%d refreshes", len(s.server.rotations))
		return false
	}
	rotation := s.server.rotations[0]
	committed := held == "refresh-1-canary"
	lost = c.Status == auth.StatusInvalid
	if !committed && !s.wasKilled(rotation.process) {
		s.t.Errorf("the new token is lost, and nobody was killed: stored %+v", c)
	}
	if lost == committed {
		s.t.Errorf("stored %s, status %s", held, c.Status)
	}
	want := tally{OK: requests}
	if lost {
		want = tally{Login: map[string]int{"invalid invalid_grant": requests}}
		if len(s.server.reused) != 1 || c.StatusCode != "invalid_grant" || c.StatusSince.IsZero() {
			s.t.Errorf("the lost token was tried %d times; stored %+v", len(s.server.reused), c)
		}
	} else if len(s.server.reused) != 0 {
		s.t.Errorf("tokens %v came again after a success", s.server.reused)
	}
	for name, got := range tallies {
		if got.OK != want.OK || got.Login["invalid invalid_grant"] != want.Login["invalid invalid_grant"] || got.Refused+got.Unavailable+len(got.Other) > 0 {
			s.t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	return lost
}

const (
	stormProcesses = 4
	stormRequests  = 250
)

func TestRefreshStorm(t *testing.T) {
	s := newStorm(t, stormProcesses, stormRequests)
	if s.check(s.run(), stormRequests) {
		t.Error("the connection was lost")
	}
}

// A process is killed somewhere, at a random time around the refresh.
func TestRefreshStormWithARandomKill(t *testing.T) {
	for range rounds(t) {
		s := newStorm(t, stormProcesses, stormRequests)
		victim, after := fmt.Sprint("p", rand.N(stormProcesses)), rand.N(500*time.Millisecond)
		killer := time.AfterFunc(time.Until(s.end)+after, func() { s.kill(victim) })
		tallies := s.run()
		killer.Stop()
		lost := s.check(tallies, stormRequests)
		r := s.server.rotations[0]
		t.Logf("%s was killed %v after the end; %s refreshed, answered %v after it; lost: %t", victim, after, r.process, r.answered.Sub(s.end), lost)
		if lost && r.process != victim {
			t.Error("lost by the death of a process that did not refresh")
		}
	}
}

// The refresher is killed at a chosen point. Only between the server's decision
// and our commit is anything lost, and then it is known to be.
func TestRefresherIsKilled(t *testing.T) {
	const requests = 25
	for _, test := range []struct {
		name    string
		rounds  int
		arrange func(s *storm)
		lost    bool
	}{
		{"before the server has decided", 2, func(s *storm) {
			var once sync.Once
			s.server.arrives = func(process string) (gone bool) {
				once.Do(func() { s.kill(process); gone = true })
				return gone
			}
		}, false},
		{"before the answer", 2, func(s *storm) {
			s.server.during = func(r *rotation, answered bool) {
				if !answered {
					s.kill(r.process)
				}
			}
		}, true},
		{"between the answer and the commit", 10, func(s *storm) {
			// With the vault locked, nobody commits.
			locked, unlock := make(chan struct{}), make(chan struct{})
			s.server.during = func(r *rotation, answered bool) {
				if !answered {
					go s.auth.Vault.Update(context.Background(), func(*vault.Tx) error {
						close(locked)
						<-unlock
						return errors.New("nothing to write")
					})
					<-locked
					return
				}
				time.Sleep(rand.N(20 * time.Millisecond)) // so that it may have read the answer
				s.kill(r.process)
				close(unlock)
			}
		}, true},
		{"behind the commit", 2, func(s *storm) {
			s.server.during = func(r *rotation, answered bool) {
				for answered && stored(s.t, s.auth, "live").RefreshToken.Reveal() != fmt.Sprintf("refresh-%d-canary", r.number) {
					time.Sleep(time.Millisecond)
				}
				if answered {
					s.kill(r.process)
				}
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range test.rounds {
				s := newStorm(t, 2, requests)
				test.arrange(s)
				tallies := s.run()
				if lost := s.check(tallies, requests); lost != test.lost {
					t.Errorf("lost: %t", lost)
				}
				if len(tallies) != 1 && test.lost { // behind the commit, it may have done all its work
					t.Errorf("%d processes survived", len(tallies))
				}
				s.server.during, s.server.arrives = nil, nil
				if test.lost { // and a login mends it
					s.server.logIn(t, s.auth, time.Now().Add(time.Hour))
					wantApplied(t, s.auth, "live", "x", "Bearer access-1-canary")
				}
			}
		})
	}
}
