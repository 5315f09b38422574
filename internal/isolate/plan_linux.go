package isolate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// plan is what the stage has to do.
func (o *Options) plan() (*plan, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	p := &plan{UID: os.Geteuid(), GID: os.Getegid(), Dir: dir, Proxy: o.choosePort(), Ports: o.Ports, Listen: o.Listen, Spare: o.Spare}
	if o.Notes != nil {
		if p.Notes, err = o.Notes(p.Proxy); err != nil {
			return nil, err
		}
	}
	if p.Home, err = filepath.EvalSymlinks(o.Home); err != nil {
		return nil, err
	}
	if p.Sockets, err = resolveAll(o.Sockets); err != nil {
		return nil, err
	}
	if p.Hide, err = resolveAll(o.Hide); err != nil {
		return nil, err
	}
	sockets, err := openSockets(o.Getenv, p.Sockets)
	if err != nil {
		return nil, fmt.Errorf("find the sockets of other programs: %w", err)
	}
	// What the command cannot do without: its working directory, and the files that its
	// variables name.
	needed, err := resolveAll([]string{dir, os.TempDir()})
	if err != nil {
		return nil, err
	}
	p.Private = runtimeDirs(o.Getenv)
	for _, dir := range onlySockets(o.Getenv, sockets, needed) {
		if !slices.ContainsFunc(p.Private, func(private string) bool { return has(private, []string{dir}) }) {
			p.Private = append(p.Private, dir)
		}
	}
	p.Terminal = ownTerminal()
	devices, err := openDevices()
	if err != nil {
		return nil, fmt.Errorf("find the devices: %w", err)
	}
	for _, private := range p.Private {
		p.Keep = append(p.Keep, belowResolved(append(slices.Clone(o.Keep), dir), private)...)
	}
	for _, hidden := range append(slices.Clone(p.Hide), p.Home) {
		if has(hidden, needed[:1]) {
			return nil, fmt.Errorf("the working directory is in %s, which an isolated command cannot see", hidden)
		}
		if has(hidden, needed[1:]) {
			return nil, fmt.Errorf("the directory of temporary files is in %s, which an isolated command cannot see: set TMPDIR to another one", hidden)
		}
	}
	if slices.Contains(p.Private, needed[1]) {
		return nil, fmt.Errorf("TMPDIR is %s, of which an isolated command gets a new one: set it to another directory, such as one below it", needed[1])
	}
	// First the directories, below which the files are not visible any more.
	p.Hide = slices.Concat(onlyHidden(o.Getenv, p.Hide, needed), p.Hide, sockets, devices)
	return p, nil
}

// choosePort returns the address for the proxy. Nothing else uses a port of the new network
// namespace, so any port will do that is not asked for; those from 32768 on are for the
// connections of the command, and the well-known ones for servers that it may start.
func (o *Options) choosePort() netip.AddrPort {
	for {
		const first, last = 20000, 32767
		port := first + rand.N(last-first)
		same := func(a netip.AddrPort) bool { return int(a.Port()) == port }
		if !slices.Contains(o.Ports, port) && !slices.ContainsFunc(o.Listen, same) {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
		}
	}
}

// belowResolved returns those of the paths that lead through a directory which has no
// links in its own path, as they are below it.
func belowResolved(paths []string, dir string) []string {
	var all []string
	for _, path := range paths {
		path = filepath.Clean(path)
		for up := filepath.Dir(path); up != "/" && up != "."; up = filepath.Dir(up) {
			if resolved, err := filepath.EvalSymlinks(up); err == nil && resolved == dir {
				all = append(all, dir+strings.TrimPrefix(path, up))
				break
			}
		}
	}
	return all
}

// resolveAll returns where paths really are.
func resolveAll(paths []string) ([]string, error) {
	var all []string
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		resolved, err := filepath.EvalSymlinks(abs)
		if err != nil {
			return nil, err
		}
		all = append(all, resolved)
	}
	return all, nil
}
