package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ordinary is a user without privileges.
const ordinary = 65534

// attack is one attempt of a hostile command to get out of `authsome run --isolate`.
type attack struct {
	name string

	// do returns nil if it reached its goal. It runs in a separate process.
	do func(*yard) error

	// nested has the namespaces in which do runs, with every capability.
	nested uintptr

	only *int // the user who can reach the goal without a fence; nil means every user

	// guarded: authsome refuses it without a fence too.
	guarded bool

	// open: it is not an attack, and works inside too.
	open bool

	// limit: it reaches its goal, as docs/isolation.md says under Limits.
	limit bool
}

var (
	root         = new(int)
	unprivileged = func() *int { n := ordinary; return &n }()
)

// scene is a set of attacks in one yard.
type scene struct {
	attacks []attack

	// arrange prepares the yard, as root, before the run starts. late does so when the
	// command is already running.
	arrange func(*yardkeeper)
	late    func(*yardkeeper)

	// check looks at the yard from outside after the isolated run. It returns a problem.
	check func(*yardkeeper) string

	// control does so after the run without a fence.
	control func(*yardkeeper) string

	users  []int // who attack; default both
	atOnce int   // attacks, if they do not disturb each other
}

var scenes = map[string]*scene{
	"files":     &fileScene,
	"processes": &processScene,
	"sockets":   &socketScene,
	"network":   &networkScene,
	"kernel":    &kernelScene,
	"terminal":  &terminalScene,
}

// TestIsolateAttacks makes each attack without a fence, where it must reach its goal, and
// in `authsome run --isolate`, where it must not.
func TestIsolateAttacks(t *testing.T) {
	requireRoot(t)
	programs := copyPrograms(t)
	home := newHomes(t).with([]string{"upstream"})
	for _, name := range slices.Sorted(maps.Keys(scenes)) {
		users := scenes[name].users
		if users == nil {
			users = []int{ordinary, 0}
		}
		for _, uid := range users {
			t.Run(fmt.Sprintf("%s/uid_%d", name, uid), func(t *testing.T) {
				t.Parallel()
				r := keepYard(t, yardSpec{Scene: name, UID: uid, Programs: programs, Template: home})
				for _, problem := range r.Problems {
					t.Error(problem)
				}
				for _, a := range scenes[name].attacks {
					if a.only == nil || *a.only == uid {
						t.Run(a.name, func(t *testing.T) { a.compare(t, r) })
					}
				}
				if t.Failed() {
					t.Logf("without a fence: %s\nisolated: %s", r.Plain.Output, r.Isolated.Output)
				}
			})
		}
	}
}

// reached is the result of an attack that reached its goal.
const reached = "reached"

func (a attack) compare(t *testing.T, r yardResult) {
	t.Helper()
	plain, isolated := r.Plain.Attacks[a.name], r.Isolated.Attacks[a.name]
	if plain == "" || isolated == "" {
		t.Fatalf("it did not run: without a fence %q, isolated %q", plain, isolated)
	}
	if (plain == reached) == a.guarded {
		t.Errorf("the control, without a fence: %s", plain)
	}
	if (isolated == reached) != (a.open || a.limit) {
		t.Errorf("isolated: %s", isolated)
	}
	t.Logf("isolated: %s", isolated)
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("run this as root: the test changes its user")
	}
}

// public is a directory of temporary files that a yard does not cover, as it does /tmp.
const public = "/var/tmp"

// copyPrograms copies the test binary, as "probe", and authsome into a directory that all
// users can read.
func copyPrograms(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(public, "authsome-isolate-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"probe": self, "authsome": binary} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// yardSpec is what a yardkeeper is asked to do.
type yardSpec struct {
	Scene    string
	UID      int
	Programs string // directory with authsome and probe
	Template string // a home with a connection
	Dir      string
}

// yardResult is what happened in a yard.
type yardResult struct {
	Plain, Isolated runResult
	Problems        []string
}

// runResult is what one run did.
type runResult struct {
	Attacks map[string]string // name to "reached" or why not
	Output  string            // standard error
}

// keepYard starts a yardkeeper and returns its result. It is the first process of its
// network, mounts and processes: when it ends, nothing of the yard is left.
func keepYard(t *testing.T, spec yardSpec) yardResult {
	t.Helper()
	var err error
	if spec.Dir, err = os.MkdirTemp(public, "yard-"); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(spec.Dir)
	input, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(spec.Programs, "probe"))
	cmd.Env = []string{"E2E_ROLE=yard", "PATH=" + systemPath, "LANG=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL, Setsid: true,
	}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the yard: %v\n%s%s", err, out, tail(stderr.String(), 6000))
	}
	var r yardResult
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("the yard printed %s: %v", out, err)
	}
	return r
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// attackAll is the role that is the hostile command. It says that it has started, waits
// until the yard is ready, makes each attack in a separate process, and prints the results.
func attackAll() {
	var y yard
	in := json.NewDecoder(os.Stdin)
	fmt.Println("started")
	check(in.Decode(&y)) // the yardkeeper sends it when everything is in place
	y.Run = os.Getppid()
	s := scenes[y.Scene]
	var mu sync.Mutex // guards results
	results := make(map[string]string)
	var running sync.WaitGroup
	free := make(chan struct{}, max(s.atOnce, 1))
	for _, a := range s.attacks {
		if a.only != nil && *a.only != y.UID {
			continue
		}
		free <- struct{}{}
		running.Go(func() {
			result := y.try(a)
			mu.Lock()
			results[a.name] = result
			mu.Unlock()
			<-free
		})
	}
	running.Wait()
	check(json.NewEncoder(os.Stdout).Encode(results))
}

// attackTime limits one attack: a packet that goes nowhere gets no answer.
const attackTime = 5 * time.Second

// try makes one attack.
func (y *yard) try(a attack) string {
	input, err := json.Marshal(y)
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), attackTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), "E2E_ROLE=attack", "E2E_ATTACK="+a.name)
	cmd.Stdin = bytes.NewReader(input)
	cmd.WaitDelay = time.Second
	cmd.ExtraFiles = y.inherited()
	defer func() {
		for _, f := range cmd.ExtraFiles {
			f.Close() // which may be nil
		}
	}()
	if a.nested != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: a.nested | syscall.CLONE_NEWUSER}
		if y.UID == 0 { // the kernel does not let root without capabilities be root there
			for n := range uintptr(unix.CAP_LAST_CAP + 1) {
				cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, n)
			}
		} else {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: y.UID, Size: 1}}
			cmd.SysProcAttr.GidMappings = cmd.SysProcAttr.UidMappings
		}
	}
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return "no answer"
	case err != nil:
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			out = append(out, failed.Stderr...)
		}
		return fmt.Sprintf("%v: %s", err, tail(string(out), 1000))
	}
	return string(out)
}

// attackOnce is the role that makes one attack.
func attackOnce() {
	var y yard
	check(json.NewDecoder(os.Stdin).Decode(&y))
	for _, a := range scenes[y.Scene].attacks {
		if a.name == os.Getenv("E2E_ATTACK") {
			result := reached
			if err := a.do(&y); err != nil {
				result = "refused: " + err.Error()
			}
			io.WriteString(os.Stdout, result)
		}
	}
}

// inherited returns the descriptors that this process has got in addition to the standard
// streams, so that each can be passed on under the same number. Those that it has not got
// are nil.
func (y *yard) inherited() []*os.File {
	all := make([]*os.File, firstInherited-3)
	for i, name := range y.Inherited {
		var f *os.File
		if copied, err := unix.FcntlInt(uintptr(firstInherited+i), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			f = os.NewFile(uintptr(copied), name)
		}
		all = append(all, f)
	}
	return all
}

// first returns nil if one of the attempts reached its goal.
func first(attempts ...error) error {
	if slices.Contains(attempts, nil) {
		return nil
	}
	return errors.Join(attempts...)
}
