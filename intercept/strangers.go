package intercept

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// identifyTime is how long a client may take to show that it may use the proxy. It
// does not apply to processes of the proxy's own user, which may connect and wait.
const identifyTime = 10 * time.Second

// maxStrangers is the most connections at a time whose clients have not shown that
// they may use the proxy, however many descriptors the process may have.
const maxStrangers = 2048

// strangerLimit leaves three quarters of n descriptors to the others.
func strangerLimit(n int) int { return min(max(n/4, 8), maxStrangers) }

// strangers are the accepted connections whose clients have not shown yet that they
// may use the proxy. If there are too many, the oldest connection of the address with
// the most is dropped. Dropping the newest would let anyone who holds the others keep
// everybody out; dropping the oldest of all would let one address drop the others.
type strangers struct {
	mu     sync.Mutex                // guards all below
	limit  int                       // set by start
	count  int                       // of connections
	byAddr map[netip.Addr]*list.List // of *trackedConn, oldest first; no list is empty
}

// add adds c, and returns the connection that must be dropped for it, or nil.
func (s *strangers) add(c *trackedConn) *trackedConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byAddr == nil {
		s.byAddr = make(map[netip.Addr]*list.List)
	}
	var dropped *trackedConn
	if s.count >= s.limit {
		var most *list.List
		for _, l := range s.byAddr {
			if most == nil || l.Len() > most.Len() {
				most = l
			}
		}
		dropped = most.Front().Value.(*trackedConn)
		s.removeLocked(dropped)
	}
	from := sourceOf(c.Conn)
	if s.byAddr[from] == nil {
		s.byAddr[from] = list.New()
	}
	c.waiting = s.byAddr[from].PushBack(c)
	s.count++
	return dropped
}

// remove removes c. It returns false if c is not, or no longer, a stranger.
func (s *strangers) remove(c *trackedConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removeLocked(c)
}

// has reports whether c is a stranger.
func (s *strangers) has(c *trackedConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.waiting != nil
}

func (s *strangers) removeLocked(c *trackedConn) bool {
	if c.waiting == nil {
		return false
	}
	from := sourceOf(c.Conn)
	s.byAddr[from].Remove(c.waiting)
	if s.byAddr[from].Len() == 0 {
		delete(s.byAddr, from)
	}
	c.waiting = nil
	s.count--
	return true
}

// sourceOf is where a connection comes from: its address, or the network that one
// machine usually has for itself (all of loopback, or an IPv6 /64).
func sourceOf(c net.Conn) netip.Addr {
	client, ok := addrPort(c.RemoteAddr())
	addr := client.Addr()
	switch {
	case !ok:
		return netip.Addr{}
	case addr.IsLoopback():
		return netip.IPv6Loopback()
	case addr.Is6():
		network, _ := addr.WithZone("").Prefix(64) // fails only for longer prefixes than the address has
		return network.Addr()
	}
	return addr
}

// acceptClients accepts connections to the proxy's own listener.
func (p *Proxy) acceptClients(l net.Listener) error {
	if p.Private {
		return p.accept(l, func(raw net.Conn) bool { return p.admitPrivate(&trackedConn{Conn: raw}) })
	}
	var peers peers
	defer peers.close()
	var warned time.Time
	return p.accept(l, func(raw net.Conn) bool {
		own, err := peers.own(raw)
		if err != nil && err != errUnknownPeers && time.Since(warned) > time.Minute { // strangers must not fill the log
			p.Log.Warn("cannot identify the user of a connection", "err", err)
			warned = time.Now()
		}
		return p.admit(raw, own)
	})
}

// admitPrivate serves a connection that only a process that may use the proxy can have
// opened. Nobody asks the kernel, which would look for the client in the network namespace
// of this process.
func (p *Proxy) admitPrivate(c *trackedConn) bool {
	c.own, c.private, c.tracker = true, true, &p.tracker
	return p.serveConn(c)
}

// admit serves an accepted connection, or refuses it. Without a token only the
// proxy's own user has access, so the kernel's word is enough to refuse all others
// before anything is read from them: one costs a question to the kernel and a short
// answer. It returns false once the proxy shuts down.
func (p *Proxy) admit(raw net.Conn, own bool) bool {
	switch {
	case p.Token.IsZero() && (p.RequireToken || !own):
		p.refuseStranger(raw)
		return !p.closing.Load()
	case own:
		return p.serveConn(&trackedConn{Conn: raw, own: true, tracker: &p.tracker})
	}
	c := &trackedConn{Conn: raw, tracker: &p.tracker}
	if dropped := p.tracker.strangers.add(c); dropped != nil {
		p.dropStranger(dropped)
	}
	c.expiry = time.AfterFunc(p.identifyWithin, func() {
		if p.tracker.strangers.remove(c) {
			p.dropStranger(c)
		}
	})
	return p.serveConn(c)
}

func (p *Proxy) serveConn(c *trackedConn) bool {
	greet := p.greet
	if c.captured {
		greet = p.greetCaptured
	}
	if !p.tracker.serve(c, greet) {
		c.Close()
		return false
	}
	return true
}

// refuseStranger answers a client of another user without reading its request, and
// closes the connection. The answer fits into the empty buffer of a new socket, so
// writing it does not wait for the client.
func (p *Proxy) refuseStranger(raw net.Conn) {
	defer raw.Close()
	if !p.handling.enter() {
		return
	}
	defer p.handling.leave()
	r := notYourProxy()
	raw.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	p.connectAnswer(nil, r).Write(raw)
	p.Record(Exchange{Kind: KindRefused, Stranger: true, Code: r.Code, Status: r.Status, Start: time.Now()})
}

// dropStranger closes a connection whose client has not shown in time that it may use
// the proxy, or that exceeds the limit.
func (p *Proxy) dropStranger(c *trackedConn) {
	c.Close()
	if p.handling.enter() {
		defer p.handling.leave()
		p.Record(Exchange{Kind: KindRefused, Stranger: true, Start: time.Now()})
	}
}

// identified ends the limits on a connection of a client that may use the proxy.
func (p *Proxy) identified(c *trackedConn) {
	if p.tracker.strangers.remove(c) {
		c.expiry.Stop()
	}
}

func notYourProxy() *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeNotYourProxy, Message: "this proxy serves only the user who started it"}
}
