package isolate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os/exec"

	"golang.org/x/sys/unix"
)

// The process outside and the stage inside talk over a socket, in this order: the plan
// goes in; its result comes out, with the sockets that were made inside; the command goes
// in; its result comes out only if the command could not be started. Otherwise the socket
// is closed by execve.

// plan is what the stage prepares.
type plan struct {
	UID      int // of the user, as the parent knows it
	GID      int
	Home     string
	Hide     []string // directories, and files of any kind
	Private  []string // directories covered by empty ones that can be written
	Keep     []string // directories that are shown again below those in Private
	Sockets  []string // Unix sockets that are shown again below those in Private
	Terminal string   // the one of the command below /dev/pts, or ""
	Dir      string   // the working directory
	Proxy    netip.AddrPort
	Ports    []int
	Listen   []netip.AddrPort
	Spare    int
	Notes    map[string][]byte // the files of the directory over Home
}

// command is what the stage becomes. Arguments and variables may have any bytes, which a
// string in JSON may not.
type command struct{ Args, Env [][]byte }

func asBinary(all []string) [][]byte {
	b := make([][]byte, len(all))
	for i, s := range all {
		b[i] = []byte(s)
	}
	return b
}

func asStrings(all [][]byte) []string {
	s := make([]string, len(all))
	for i, b := range all {
		s[i] = string(b)
	}
	return s
}

// result is the answer of the stage. The zero value means success.
type result struct {
	Doing    string     `json:",omitempty"` // what failed
	Errno    unix.Errno `json:",omitempty"`
	Text     string     `json:",omitempty"` // of the error, if it has no number
	Path     string     `json:",omitempty"` // of the program, if it was found but not started
	NotFound bool       `json:",omitempty"` // the command is not in PATH
}

// failure makes the result of an error.
func failure(doing string, err error) result {
	r := result{Doing: doing, Text: err.Error(), NotFound: errors.Is(err, exec.ErrNotFound)}
	if !errors.As(err, &r.Errno) && errors.Is(err, fs.ErrPermission) {
		r.Errno = unix.EACCES
	}
	return r
}

// err returns the error that a result is about, or nil. It can be examined as the one in
// the stage.
func (r result) err() error {
	switch {
	case r.NotFound:
		return &exec.Error{Name: r.Path, Err: exec.ErrNotFound}
	case r.Path != "" && r.Errno != 0:
		return &fs.PathError{Op: r.Doing, Path: r.Path, Err: r.Errno}
	case r.Text != "":
		return &stageError{r.Doing + ": " + r.Text, r.Errno}
	}
	return nil
}

// stageError is an error of the stage, with its number if it has one.
type stageError struct {
	text  string
	errno unix.Errno
}

func (e *stageError) Error() string { return e.text }

func (e *stageError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// control is one end of the socket between the two.
type control struct {
	conn *net.UnixConn
	in   *json.Decoder
	out  *json.Encoder
}

func newControl(c *net.UnixConn) *control {
	return &control{conn: c, in: json.NewDecoder(c), out: json.NewEncoder(c)}
}

// maxSockets is how many descriptors one message can carry (SCM_MAX_FD in the kernel).
const maxSockets = 253

// sendSockets sends descriptors, each of which the other end gets a copy of.
func (c *control) sendSockets(fds []int) error {
	if len(fds) > maxSockets {
		return fmt.Errorf("%d sockets are more than can be passed on", len(fds))
	}
	_, _, err := c.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil)
	return err
}

// receiveSockets receives what sendSockets sent. It must come before any other read.
func (c *control) receiveSockets() ([]int, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxSockets))
	_, n, _, _, err := c.conn.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, m := range messages {
		more, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		fds = append(fds, more...)
	}
	return fds, nil
}
