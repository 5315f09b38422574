package auth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/vault"
)

// The tests of this file check with several processes that a token is refreshed once.
// They start this test binary as processes that make many requests at the moment at which
// the token expires; some of the processes are killed.

// stormLimit bounds a round. A round that takes as long hangs.
const stormLimit = 60 * time.Second

// rounds returns how often the random storms are repeated.
func rounds(tb testing.TB) int {
	n, err := strconv.Atoi(os.Getenv("AUTHSOME_TEST_STORMS"))
	if err != nil {
		return 2
	}
	return n
}

// storm is one round: processes that share a profile whose token expires.
type storm struct {
	t         *testing.T
	server    *server
	profile   *profile
	auth      *auth.Auth // for the test itself
	expires   time.Time  // of the first access token
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
	s := &storm{t: t, server: startServer(t), expires: time.Now().Add(400 * time.Millisecond), processes: make(map[string]*stormChild), killed: make(map[string]bool)}
	s.profile = s.server.profile(t)
	s.auth = s.profile.open(t)
	s.server.logIn(t, s.auth, s.expires)
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
			t.Fatalf("%s printed %q, %v: %s", name, line, err, c.stderr.String())
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

// run starts the requests of the processes, and returns the tallies of the processes that
// were not killed.
func (s *storm) run() map[string]tally {
	s.t.Helper()
	for _, c := range s.processes {
		fmt.Fprintln(c.stdin, s.expires.UnixNano())
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

// check checks the outcome of a round, and reports whether the connection was lost. It
// may be lost only if the process that refreshed was killed.
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
		s.t.Errorf("the new token is lost, although its process was not killed: stored %+v", c)
	}
	if lost == committed {
		s.t.Errorf("stored %s, status %s", held, c.Status)
	}
	want := tally{OK: requests}
	if lost {
		want = tally{Login: map[string]int{"invalid invalid_grant": requests}}
		if len(s.server.reused) != 1 || c.StatusCode != "invalid_grant" || c.StatusSince.IsZero() {
			s.t.Errorf("the used token was sent %d more times, want 1; stored %+v", len(s.server.reused), c)
		}
	} else if len(s.server.reused) != 0 {
		s.t.Errorf("tokens %v were used again after a success", s.server.reused)
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

// A random process is killed at a random time around the refresh.
func TestRefreshStormWithRandomKill(t *testing.T) {
	for range rounds(t) {
		s := newStorm(t, stormProcesses, stormRequests)
		victim, after := fmt.Sprint("p", rand.N(stormProcesses)), rand.N(500*time.Millisecond)
		killer := time.AfterFunc(time.Until(s.expires)+after, func() { s.kill(victim) })
		tallies := s.run()
		killer.Stop()
		lost := s.check(tallies, stormRequests)
		r := s.server.rotations[0]
		t.Logf("%s was killed %v after the token expired; %s refreshed and was answered after %v; lost: %t", victim, after, r.process, r.answered.Sub(s.expires), lost)
		if lost && r.process != victim {
			t.Error("the connection was lost, although the killed process did not refresh")
		}
	}
}

// killCase kills the process that refreshes at a chosen moment.
type killCase struct {
	name    string
	rounds  int
	arrange func(s *storm)
	lost    bool // the connection
}

var killCases = []killCase{
	{"before the server decides", 2, func(s *storm) {
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
		var locking sync.WaitGroup // locks the vault, so that no process commits
		locked, unlock := make(chan struct{}), make(chan struct{})
		s.server.during = func(r *rotation, answered bool) {
			if !answered {
				locking.Go(func() {
					s.auth.Vault.Update(context.Background(), func(*vault.Tx) error {
						close(locked)
						<-unlock
						return errors.New("nothing to write")
					})
				})
				<-locked
				return
			}
			time.Sleep(rand.N(20 * time.Millisecond)) // time to read the answer
			s.kill(r.process)
			close(unlock)
			locking.Wait()
		}
	}, true},
	{"after the commit", 2, func(s *storm) {
		s.server.during = func(r *rotation, answered bool) {
			for answered && stored(s.t, s.auth, "live").RefreshToken.Reveal() != fmt.Sprintf("refresh-%d-canary", r.number) {
				time.Sleep(time.Millisecond)
			}
			if answered {
				s.kill(r.process)
			}
		}
	}, false},
}

// If the process that refreshes is killed, the connection is lost only between the
// server's decision and the commit, and then the loss is detected.
func TestRefreshingProcessIsKilled(t *testing.T) {
	const requests = 25
	for _, test := range killCases {
		t.Run(test.name, func(t *testing.T) {
			for range test.rounds {
				s := newStorm(t, 2, requests)
				test.arrange(s)
				tallies := s.run()
				if lost := s.check(tallies, requests); lost != test.lost {
					t.Errorf("lost: %t", lost)
				}
				if len(tallies) != 1 && test.lost { // after the commit, the process may have completed before the kill
					t.Errorf("%d processes survived", len(tallies))
				}
				s.server.during, s.server.arrives = nil, nil
				if test.lost { // a login repairs it
					s.server.logIn(t, s.auth, time.Now().Add(time.Hour))
					wantApplied(t, s.auth, "live", "x", "Bearer access-1-canary")
				}
			}
		})
	}
}
