package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/isolate"
	"github.com/authsome/authsome/internal/runs"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/routing"
)

// fence is a started fence, and what goes through it in addition to requests.
type fence struct {
	*isolate.Fence
	*fenceRequest
	app  *app
	home *home.Home

	names     *isolate.Names
	blocked   *isolate.Blocked
	raw       map[netip.AddrPort]intercept.Target // --allow-tcp, by the addresses inside
	published []published
	running   sync.WaitGroup
	counting  sync.WaitGroup // of refusals; part of running
}

// published is a port of this machine that leads to one inside.
type published struct {
	listeners []net.Listener // for IPv4 and IPv6
	inside    uint16
}

// lookupTime limits how long the addresses of a host are looked up that --allow-tcp names.
const lookupTime = 2 * time.Second

// listenAt returns the addresses inside at which connections to an allowed target arrive:
// the one that our DNS gives, and those that other sources, such as /etc/hosts, may give.
func (f *fence) listenAt(ctx context.Context, t intercept.Target) []netip.AddrPort {
	var all []netip.Addr
	if ip, err := netip.ParseAddr(t.Host); err == nil {
		all = append(all, ip)
	} else if t.Host == "localhost" {
		all = append(all, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	} else {
		if a, ok := f.names.Address(t.Host); ok {
			all = append(all, a)
		}
		ctx, cancel := context.WithTimeout(ctx, lookupTime)
		defer cancel()
		real, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", t.Host) // the target may exist later
		all = append(all, real...)
	}
	var at []netip.AddrPort
	for _, a := range all {
		if !a.IsLinkLocalUnicast() { // inside, no interface is on that link
			at = append(at, netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(t.Port)))
		}
	}
	return at
}

// capturedPorts are those at which clients that know no proxy are served: of web servers,
// and of connected providers.
func capturedPorts(t *routing.Table) []int {
	ports := map[int]bool{80: true, 443: true}
	for _, r := range t.Routes() {
		ports[r.Port] = true
	}
	return slices.Sorted(maps.Keys(ports))
}

// beginFence starts the process of the fence that the flags and config.json ask for, so that
// it gets ready in the meantime; prepare must follow. Without an error, it returns nil if
// the command runs without a fence.
func (a *app) beginFence(ctx context.Context, o *isolateOptions) (*fence, error) {
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	r, err := o.request(h.Config)
	if err != nil || r.mode == home.IsolateOff {
		return nil, err
	}
	f := &fence{
		app: a, home: h, fenceRequest: r,
		names: &isolate.Names{Proxy: intercept.SelfHost}, blocked: isolate.NewBlocked(), raw: make(map[netip.AddrPort]intercept.Target),
	}
	if f.Fence, err = isolate.Begin(ctx, isolate.Streams{In: a.In, Out: a.Out, Err: a.Err}, a.Getenv); err != nil {
		return nil, f.impossible(err)
	}
	return f, nil
}

// prepare makes the fence ready for the command, and the sidecar with these options serve
// what comes out of it. It returns nil if the machine does not allow a fence and the request
// does not insist. After an error, the fence is closed.
func (f *fence) prepare(ctx context.Context, s *sidecar.Options, connections []auth.Connection) (_ *fence, err error) {
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	t, err := sidecar.Table(ctx, s.Auth, connections, s.Routing)
	if err != nil {
		return nil, err
	}
	known, err := f.app.knownFiles(s.Auth, connections, t)
	if err != nil {
		return nil, err
	}
	o, err := f.options(ctx, t)
	if err != nil {
		return nil, err
	}
	if f.hideKnown {
		for _, k := range known {
			o.Hide = append(o.Hide, k.Path)
		}
	}
	if err := f.Fence.Prepare(o); err != nil {
		f.close()
		return nil, f.impossible(err)
	}
	if len(known) > 0 && !f.hideKnown {
		f.app.Warnf("the command can read other credentials of connected services: %s; --hide-known hides them", listFiles(known))
	}
	f.attach(s)
	f.serve(s.Log)
	return f, nil
}

// options are what the fence hides and which sockets it has.
func (f *fence) options(ctx context.Context, t *routing.Table) (isolate.Options, error) {
	o := isolate.Options{
		Getenv: f.app.Getenv, Home: f.home.Dir, Notes: isolationNotes,
		Hide: append(f.app.keyFiles(f.home), f.hide...), Sockets: f.sockets,
		Keep:  append(filepath.SplitList(f.app.Getenv("PATH")), os.TempDir()),
		Ports: capturedPorts(t),
	}
	for _, target := range f.allowed {
		if t.Host(target.Host, target.Port) == routing.Intercept {
			return o, exit.Usagef("--allow-tcp %s: requests to it get a credential, so they go through the proxy", target)
		}
		for _, at := range f.listenAt(ctx, target) {
			if _, known := f.raw[at]; !known && !slices.Contains(o.Ports, int(at.Port())) {
				o.Listen = append(o.Listen, at)
			}
			f.raw[at] = target
		}
	}
	if len(f.publish) > 0 {
		o.Spare = spareConnections
	}
	return o, f.openPublished()
}

// spareConnections is how many connections to published ports there can be at a time.
const spareConnections = 64

// impossible is the error of a fence that could not be started. In mode auto it is nil if
// the machine does not allow one.
func (f *fence) impossible(err error) error {
	unsupported, ok := errors.AsType[*isolate.UnsupportedError](err)
	if !ok {
		return fmt.Errorf("isolate the command: %w", err)
	}
	if f.mode == home.IsolateAuto {
		f.app.Warnf("the command is not isolated: %s: %s", unsupported.Reason, f.app.Suggest(suggest.Command("doctor")))
		return nil
	}
	// What the system said must not be taken for an error of the vault, such as a full disk.
	err = exit.WithCode(fmt.Errorf("the command was not started, because it cannot be isolated: %w", err), exit.Error)
	return exit.WithAdvice(err, "%s", explain.Isolation(unsupported))
}

// keyFiles are the files outside of the home that open the vault.
func (a *app) keyFiles(h *home.Home) []string {
	var all []string
	add := func(path string) {
		if _, err := os.Stat(path); path != "" && err == nil {
			all = append(all, path)
		}
	}
	for _, place := range []*home.KeyPlace{&h.Config.Encryption.KeyPlace, h.Config.Encryption.Next, h.Config.Encryption.Previous} {
		if place != nil {
			add(place.File)
		}
	}
	add(a.Getenv("AUTHSOME_MASTER_KEY_FILE"))
	add(a.Getenv("AUTHSOME_PASSPHRASE_FILE"))
	usual := func(name string) string {
		if name == "AUTHSOME_HOME" {
			return ""
		}
		return a.Getenv(name)
	}
	if dir, err := home.DefaultDir(usual); err == nil && dir != h.Dir {
		add(dir) // another home, with another vault
	}
	return all
}

// openPublished listens at the ports of this machine.
func (f *fence) openPublished() error {
	for _, outside := range slices.Sorted(maps.Keys(f.publish)) {
		p := published{inside: f.publish[outside]}
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(outside))))
		if err != nil {
			return exit.WithAdvice(fmt.Errorf("publish port %d: %w", outside, err), "choose another port of this machine: --publish PORT:%d", p.inside)
		}
		p.listeners = append(p.listeners, l)
		if l, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(int(outside)))); err == nil {
			p.listeners = append(p.listeners, l) // where there is IPv6
		}
		f.published = append(f.published, p)
	}
	return nil
}

func (f *fence) closePublished() {
	for _, p := range f.published {
		for _, l := range p.listeners {
			l.Close()
		}
	}
}

// attach makes a sidecar serve what comes out of the fence.
func (f *fence) attach(o *sidecar.Options) {
	o.Private = true
	o.Captured = f.Captured
	o.Capture = intercept.Capture{
		Name: f.names.Name,
		Raw:  func(at netip.AddrPort) (intercept.Target, bool) { t, ok := f.raw[at]; return t, ok },
	}
	o.Fence = &intercept.Fence{Allowed: func(t intercept.Target) bool { return slices.Contains(f.allowed, t) }}
}

// serve answers DNS, counts what the fence refuses, and passes published ports on, until
// close.
func (f *fence) serve(log *slog.Logger) {
	part := func(name string, run func() error) {
		f.running.Go(func() {
			if err := run(); err != nil {
				log.Error("part of the fence failed", "part", name, "err", err)
			}
		})
	}
	part("dns", func() error { return f.names.ServeUDP(f.UDPDNS) })
	part("dns over tcp", func() error { return f.names.ServeTCP(f.TCPDNS) })
	for _, r := range f.Refusals {
		f.counting.Add(1)
		part("refusals", func() error {
			defer f.counting.Done()
			return f.blocked.Watch(r, f.names.Name)
		})
	}
	for _, p := range f.published {
		for _, l := range p.listeners {
			part("publish", func() error { return f.Publish(l, p.inside) })
		}
	}
}

// close ends the fence, and the command in it if it was not started. f may be nil.
func (f *fence) close() {
	if f == nil {
		return
	}
	f.closePublished()
	f.Fence.Close()
	f.running.Wait()
}

// process is the process that becomes the command, or nil.
func (f *fence) process() *isolate.Fence {
	if f == nil {
		return nil
	}
	return f.Fence
}

// blockedLines say what the command, which has ended, could not reach, and how to allow it.
// notAllowed is what the proxy refused. f may be nil.
func (f *fence) blockedLines(notAllowed []sidecar.Count[string]) []string {
	if f == nil {
		return nil
	}
	for _, r := range f.Refusals {
		r.SetReadDeadline(time.Now())
	}
	f.counting.Wait()
	targets, others := f.blocked.Report()
	counts := make(map[string]int)
	for _, c := range notAllowed {
		if _, _, err := net.SplitHostPort(c.What); err != nil {
			others += c.N // the hosts that are not counted one by one
			continue
		}
		counts[c.What] += c.N
	}
	var lines []string
	for _, t := range targets {
		address := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
		if t.Network == "tcp" {
			counts[address] += t.N
			continue
		}
		lines = append(lines, fmt.Sprintf("blocked: %s to %s, by UDP", show.Plural(t.N, "packet"), address))
	}
	byNumber := func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) }
	addresses := slices.SortedFunc(maps.Keys(counts), byNumber)
	var tcp []string
	for _, address := range addresses {
		tcp = append(tcp, fmt.Sprintf("blocked: %s to %s; allow with --allow-tcp %s", show.Plural(counts[address], "connection"), address, suggest.Words(address)))
	}
	lines = append(tcp, lines...)
	if more := len(lines) - maxListed; more > 0 {
		lines = append(lines[:maxListed], fmt.Sprintf("blocked: and connections to %d more", more+min(others, 1)))
	}
	return lines
}

// isolationNotes are the files that an isolated command sees in place of the home: one,
// from which authsome's own commands learn where to ask.
func isolationNotes(proxy netip.AddrPort) (map[string][]byte, error) {
	note, err := runs.FormatIsolated(&url.URL{Scheme: "http", Host: proxy.String()})
	return map[string][]byte{runs.IsolatedFile: note}, err
}
