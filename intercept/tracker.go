package intercept

import (
	"container/list"
	"context"
	"net"
	"sync"
	"time"
)

// trackedConn is an accepted connection. Closing it more than once counts once.
type trackedConn struct {
	net.Conn
	own      bool        // a process of the proxy's own user has the other end
	private  bool        // only processes that may use the proxy can reach its listener
	captured bool        // the client knows no proxy
	expiry   *time.Timer // closes the connection of a stranger; nil if own
	tracker  *tracker
	once     sync.Once
	cancel   context.CancelFunc // guarded by tracker.mu; ends the dial for this connection, or nil
	waiting  *list.Element      // guarded by strangers.mu; nil if the client is not a stranger
}

func (c *trackedConn) Close() error {
	c.once.Do(func() {
		if c.tracker.strangers.remove(c) {
			c.expiry.Stop()
		}
		c.tracker.remove(c)
	})
	return c.Conn.Close()
}

// confidential reports whether what the client sends can be read only on this machine. It
// is the one place that decides whether a client may leave TLS to the proxy.
func (c *trackedConn) confidential() bool {
	if c.private {
		return true
	}
	client, ok1 := addrPort(c.RemoteAddr())
	ours, ok2 := addrPort(c.LocalAddr())
	return ok1 && ok2 && client.Addr().IsLoopback() && ours.Addr().IsLoopback()
}

// CloseWrite ends our side of the stream and leaves the other side open.
func (c *trackedConn) CloseWrite() error { return closeWrite(c.Conn) }

// cancelOnClose calls cancel when c is closed, or at once if it is closed already.
// A nil cancel undoes that.
func (c *trackedConn) cancelOnClose(cancel context.CancelFunc) {
	t := c.tracker
	t.mu.Lock()
	_, open := t.conns[c]
	c.cancel = cancel
	t.mu.Unlock()
	if !open && cancel != nil {
		cancel()
	}
}

// tracker has every accepted connection, so that a shutdown can end those that do
// not belong to a server any more: tunnels and hijacked connections. It also owns
// the goroutines that serve a connection outside of a server.
type tracker struct {
	mu      sync.Mutex // guards all below
	conns   map[*trackedConn]struct{}
	tunnels map[*tunnel]struct{}
	closed  bool
	onClose []func()
	emptied chan struct{} // not nil during wait, which closes it when no connection is left

	strangers strangers // has its own lock

	running sync.WaitGroup // greet and relay; added to under mu, and only before closed is set
}

// serve calls greet for an accepted connection on a goroutine. It returns false,
// and leaves the connection to the caller, once the proxy shuts down.
func (t *tracker) serve(c *trackedConn, greet func(*trackedConn)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.conns == nil {
		t.conns, t.tunnels = make(map[*trackedConn]struct{}), make(map[*tunnel]struct{})
	}
	t.conns[c] = struct{}{}
	t.running.Go(func() { greet(c) })
	return true
}

func (t *tracker) remove(c *trackedConn) {
	t.mu.Lock()
	delete(t.conns, c)
	cancel := c.cancel
	if len(t.conns) == 0 && t.emptied != nil {
		close(t.emptied)
		t.emptied = nil
	}
	t.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// serveTunnel calls relay for a tunnel on a goroutine. It returns false, and
// leaves the tunnel to the caller, once the proxy shuts down.
func (t *tracker) serveTunnel(u *tunnel, relay func(*tunnel)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.tunnels[u] = struct{}{}
	t.running.Go(func() {
		defer t.removeTunnel(u)
		relay(u)
	})
	return true
}

func (t *tracker) removeTunnel(u *tunnel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tunnels, u)
}

func (t *tracker) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{Connections: len(t.conns), Tunnels: len(t.tunnels)}
}

// drop closes the tunnels whose targets match.
func (t *tracker) drop(matches func(Target) bool) {
	t.mu.Lock()
	var dropped []*tunnel
	for u := range t.tunnels {
		if matches(u.target) {
			dropped = append(dropped, u)
		}
	}
	t.mu.Unlock()
	for _, u := range dropped {
		u.close()
	}
}

// onShutdown registers f to run when a shutdown begins, or runs it now if one has
// begun.
func (t *tracker) onShutdown(f func()) {
	t.mu.Lock()
	closed := t.closed
	if !closed {
		t.onClose = append(t.onClose, f)
	}
	t.mu.Unlock()
	if closed {
		f()
	}
}

func (t *tracker) shutdown() {
	t.mu.Lock()
	run := t.onClose
	t.closed, t.onClose = true, nil
	t.mu.Unlock()
	for _, f := range run {
		f()
	}
}

// wait returns nil when no connection is left, or ctx's error.
func (t *tracker) wait(ctx context.Context) error {
	t.mu.Lock()
	if len(t.conns) == 0 {
		t.mu.Unlock()
		return nil
	}
	emptied := make(chan struct{})
	t.emptied = emptied
	t.mu.Unlock()
	select {
	case <-emptied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeAll closes the connections that are left and waits for their goroutines.
func (t *tracker) closeAll() {
	t.mu.Lock()
	var left []*trackedConn
	for c := range t.conns {
		left = append(left, c)
	}
	t.mu.Unlock()
	for _, c := range left {
		c.Close()
	}
	t.running.Wait()
}
