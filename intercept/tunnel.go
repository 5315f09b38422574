package intercept

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/authsome/authsome/routing"
)

// trackedConn is an accepted connection. Its Close is counted once.
type trackedConn struct {
	net.Conn
	tracker *tracker
	once    sync.Once
}

func (c *trackedConn) Close() error {
	c.once.Do(func() { c.tracker.remove(c) })
	return c.Conn.Close()
}

// CloseWrite ends our side of the stream and leaves the other side open.
func (c *trackedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if p, ok := c.(*prefixConn); ok {
		c = p.Conn
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// tunnel relays a connection that is not ours to read.
type tunnel struct {
	target   Target
	client   *trackedConn
	upstream net.Conn
	early    []byte // what the client sent behind its CONNECT
	start    time.Time
}

// relay copies both ways until both ends have said they are done. Between two
// TCP sockets io.Copy is splice(2): the bytes never enter this process.
func (p *Proxy) relay(t *tunnel) {
	defer p.recoverClosing(t.client)
	if !p.tracker.addTunnel(t) {
		t.close()
		return
	}
	defer p.tracker.removeTunnel(t)
	defer t.close()
	// Now that DropTunnels sees it: the routes may have changed during the dial.
	if p.Routes().Host(t.target.Host, t.target.Port) != routing.Tunnel {
		return
	}
	var sent int64
	var copies sync.WaitGroup
	copies.Go(func() {
		if len(t.early) > 0 {
			n, err := t.upstream.Write(t.early)
			sent, t.early = int64(n), nil
			if err != nil {
				t.close()
				return
			}
		}
		n, err := io.Copy(bare(t.upstream), t.client.Conn)
		sent += n
		t.finish(t.upstream, err)
	})
	received, err := io.Copy(t.client.Conn, bare(t.upstream))
	t.finish(t.client, err)
	copies.Wait()
	p.Record(Exchange{
		Kind: KindTunnel, Method: http.MethodConnect, Host: t.target.Host, Port: t.target.Port, Status: http.StatusOK,
		Start: t.start, Duration: time.Since(t.start), Sent: sent, Received: received,
	})
}

// finish passes an orderly end on as an orderly end. After an error nothing more
// can be said either way, so both sides close.
func (t *tunnel) finish(to net.Conn, err error) {
	if err != nil || closeWrite(to) != nil {
		t.close()
	}
}

func (t *tunnel) close() {
	t.client.Close()
	t.upstream.Close()
}

// bare takes wrappers off a TCP connection, for splice.
func bare(c net.Conn) net.Conn {
	if p, ok := c.(*prefixConn); ok && len(p.early) == 0 {
		return p.Conn
	}
	return c
}

// tracker knows every accepted connection, so that a drain can end those that
// no server owns any more: tunnels and hijacked connections.
type tracker struct {
	mu      sync.Mutex // guards all below
	conns   map[*trackedConn]struct{}
	tunnels map[*tunnel]struct{}
	closed  bool
	onClose []func()
	emptied chan struct{} // non-nil while wait is waiting; closed when no connection is left

	relays sync.WaitGroup // added to under mu, before closed
}

// add wraps an accepted connection. It returns nil once the proxy shuts down.
func (t *tracker) add(raw net.Conn) *trackedConn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	if t.conns == nil {
		t.conns, t.tunnels = make(map[*trackedConn]struct{}), make(map[*tunnel]struct{})
	}
	c := &trackedConn{Conn: raw, tracker: t}
	t.conns[c] = struct{}{}
	return c
}

func (t *tracker) remove(c *trackedConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
	if len(t.conns) == 0 && t.emptied != nil {
		close(t.emptied)
		t.emptied = nil
	}
}

func (t *tracker) addTunnel(u *tunnel) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.tunnels[u] = struct{}{}
	t.relays.Add(1)
	return true
}

func (t *tracker) removeTunnel(u *tunnel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tunnels, u)
	t.relays.Done()
}

func (t *tracker) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{Connections: len(t.conns), Tunnels: len(t.tunnels)}
}

func (t *tracker) drop(which func(host string, port int) bool) {
	t.mu.Lock()
	var dropped []*tunnel
	for u := range t.tunnels {
		if which(u.target.Host, u.target.Port) {
			dropped = append(dropped, u)
		}
	}
	t.mu.Unlock()
	for _, u := range dropped {
		u.close()
	}
}

// onShutdown registers f to run when shutdown starts, or now if it has.
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

// wait returns when no connection is left, or with ctx's error.
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

// closeAll closes what is left and waits for its relays to have been recorded.
func (t *tracker) closeAll() {
	defer t.relays.Wait()
	t.mu.Lock()
	var left []*trackedConn
	for c := range t.conns {
		left = append(left, c)
	}
	t.mu.Unlock()
	for _, c := range left {
		c.Close()
	}
}
