package isolate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// stageName is the name under which this program starts itself as the stage. Its only
// argument is the number of the descriptor of the socket.
const stageName = "authsome-isolate"

// init does not return in a process that [Start] has started: it becomes the command. That
// it does so here, and not in main, saves the initialisation of most of the program, which
// takes longer than all that the stage does.
func init() {
	if len(os.Args) != 2 || os.Args[0] != stageName {
		return
	}
	// What the fence takes away, it takes from the thread that executes the command.
	runtime.LockOSThread()
	c, err := openControl(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "authsome: isolate:", err)
		os.Exit(1)
	}
	c.becomeCommand()
	os.Exit(1) // it has told the other end why
}

func openControl(number string) (*control, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, errors.New("this name is for authsome's own use")
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "control")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, errors.New("this name is for authsome's own use")
	}
	return newControl(conn.(*net.UnixConn)), nil
}

// becomeCommand prepares the namespaces of this process and executes the command. It
// returns after an error.
func (c *control) becomeCommand() {
	var p plan
	if err := c.in.Decode(&p); err != nil {
		return // the other end has gone
	}
	s, failed := prepare(&p)
	if err := c.sendSockets(s.fds()); err != nil {
		failed = failure("pass the sockets on", err)
	}
	if c.out.Encode(failed) != nil || failed.err() != nil {
		return
	}
	var cmd command
	if err := c.in.Decode(&cmd); err != nil {
		return
	}
	s.close()
	c.out.Encode(execute(asStrings(cmd.Args), asStrings(cmd.Env)))
}

// prepare makes the sockets and covers what is hidden.
func prepare(p *plan) (*sockets, result) {
	s := &sockets{}
	// The kernel kills this process when its parent ends. If it has ended already, so has the
	// other end of the socket.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return s, failure("ask for a signal at the parent's end", err)
	}
	for _, step := range []struct {
		doing string
		do    func() error
	}{
		{"map the user", func() error { return mapUser(p.UID, p.GID) }},
		{"set up the network", setUpNetwork},
		{"listen", func() error { return s.open(p) }},
		{"hide files", func() error { return cover(p) }},
		{"enter the working directory " + p.Dir, func() error { return os.Chdir(p.Dir) }},
	} {
		if err := step.do(); err != nil {
			return s, failure(step.doing, err)
		}
	}
	return s, result{}
}

// mapUser gives the user and the group their own numbers in the user namespace. The
// parent does not do it, because its memory is guarded, which makes the system's files
// about it, and about what it has just cloned, root's.
func mapUser(uid, gid int) error {
	for _, f := range []struct{ path, text string }{
		{"/proc/self/setgroups", "deny"}, // otherwise gid_map needs a privilege
		{"/proc/self/uid_map", fmt.Sprintf("%d %d 1", uid, uid)},
		{"/proc/self/gid_map", fmt.Sprintf("%d %d 1", gid, gid)},
	} {
		if err := os.WriteFile(f.path, []byte(f.text), 0); err != nil {
			return err
		}
	}
	return nil
}

// execute gives up every privilege and becomes the command.
func execute(args, env []string) result {
	if err := closeInherited(); err != nil {
		return failure("close descriptors", err)
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) { // "." in PATH works as in a shell
		r := failure("exec", err)
		r.Path = args[0]
		return r
	}
	if err := lockDown(); err != nil {
		return failure("give up privileges", err)
	}
	r := failure("exec", unix.Exec(path, args, env))
	r.Path = path
	return r
}
