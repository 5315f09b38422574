package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/hosts"
)

// isolateOptions are the flags of run that fence the command in.
type isolateOptions struct {
	mode      string // one of home.IsolateModes, or "" for the one in config.json
	allowTCP  []string
	publish   []string
	hide      []string
	sockets   []string
	hideKnown bool
}

func (o *isolateOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.mode, "isolate", "", "let the command reach only the proxy, and hide the vault from it (Linux): `"+strings.Join(home.IsolateModes, "|")+"`; required if no value is given")
	f.Lookup("isolate").NoOptDefVal = home.IsolateRequired
	f.StringArrayVar(&o.allowTCP, "allow-tcp", nil, "let an isolated command reach `HOST:PORT` without the proxy; localhost is this machine; repeatable")
	f.StringArrayVar(&o.publish, "publish", nil, "reach `[PORT:]PORT` of an isolated command at a port of this machine's loopback; repeatable")
	f.StringArrayVar(&o.hide, "hide", nil, "hide the file or directory `PATH` from an isolated command; repeatable")
	f.StringArrayVar(&o.sockets, "allow-socket", nil, "let an isolated command connect to the Unix socket `PATH`; repeatable")
	f.BoolVar(&o.hideKnown, "hide-known", false, "hide the files from an isolated command in which other tools keep credentials of connected providers")
}

// fenceRequest is what the flags ask for, checked.
type fenceRequest struct {
	mode      string
	allowed   []intercept.Target
	publish   map[uint16]uint16 // port of this machine → port inside
	hide      []string
	hideKnown bool
	sockets   []string
}

// request checks the flags. The mode is the one in config.json if no flag has one.
func (o *isolateOptions) request(c home.Config) (*fenceRequest, error) {
	r := &fenceRequest{mode: o.mode, publish: make(map[uint16]uint16), hideKnown: o.hideKnown}
	if r.mode == "" {
		r.mode = c.Run.Isolate
	}
	if r.mode == "" {
		r.mode = home.IsolateOff
	}
	if !slices.Contains(home.IsolateModes, r.mode) {
		return nil, exit.Usagef("--isolate=%s: use %s", r.mode, strings.Join(home.IsolateModes, ", "))
	}
	for _, s := range o.allowTCP {
		t, err := parseHostPort(s)
		if err != nil {
			return nil, exit.Usagef("--allow-tcp %s: %v", s, err)
		}
		r.allowed = append(r.allowed, t)
	}
	for _, s := range o.publish {
		outside, inside, named := strings.Cut(s, ":")
		if !named {
			inside = outside
		}
		from, err1 := parsePort(outside)
		to, err2 := parsePort(inside)
		if err := errors.Join(err1, err2); err != nil {
			return nil, exit.Usagef("--publish %s: use PORT, or PORT:PORT with the one of this machine first", s)
		}
		if _, twice := r.publish[from]; twice {
			return nil, exit.Usagef("--publish %s: port %d of this machine is published twice", s, from)
		}
		r.publish[from] = to
	}
	var err error
	if r.hide, err = existing("--hide", o.hide, func(fs.FileMode) bool { return true }, ""); err != nil {
		return nil, err
	}
	isSocket := func(m fs.FileMode) bool { return m.Type() == fs.ModeSocket }
	if r.sockets, err = existing("--allow-socket", o.sockets, isSocket, "not a socket"); err != nil {
		return nil, err
	}
	if r.mode == home.IsolateOff && (len(o.allowTCP)+len(o.publish)+len(o.hide)+len(o.sockets) > 0 || o.hideKnown) {
		return nil, exit.Usagef("--allow-tcp, --publish, --hide, --hide-known and --allow-socket are for an isolated command: add --isolate")
	}
	return r, nil
}

// existing returns where the paths of a flag are. All must exist and be of a kind.
func existing(flag string, paths []string, kind func(fs.FileMode) bool, otherwise string) ([]string, error) {
	var all []string
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, path, err)
		}
		info, err := os.Stat(abs)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, exit.Usagef("%s %s: it does not exist", flag, path)
		case err != nil:
			return nil, exit.Usagef("%s %s: %v", flag, path, err)
		case !kind(info.Mode()):
			return nil, exit.Usagef("%s %s: it is %s", flag, path, otherwise)
		}
		all = append(all, abs)
	}
	return all, nil
}

func parseHostPort(s string) (intercept.Target, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return intercept.Target{}, errors.New("use HOST:PORT")
	}
	n, err := parsePort(port)
	if err != nil {
		return intercept.Target{}, err
	}
	if host, err = hosts.Normalize(host); err != nil {
		return intercept.Target{}, err
	}
	return intercept.Target{Host: host, Port: int(n)}, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("the port must be a number from 1 to 65535")
	}
	return uint16(n), nil
}
