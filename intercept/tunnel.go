package intercept

import (
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/authsome/authsome/routing"
)

// tunnel is a connection that is passed through.
type tunnel struct {
	target   Target
	client   *trackedConn
	upstream net.Conn
	early    []byte // what the client sent before it was relayed
	start    time.Time
}

// relay copies both ways until both sides have ended their streams. Between two
// TCP sockets io.Copy uses splice(2): the bytes never enter this process.
func (p *Proxy) relay(t *tunnel) {
	defer p.closeOnPanic(t.client)
	defer t.close()
	// Checked here because DropTunnels sees the tunnel only from here on: the routes
	// may have changed while the upstream was dialled.
	if p.passage(t.target) != routing.Tunnel {
		return
	}
	defer t.endWhenBroken(6 * p.leftCheck)()
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
		n, err := io.Copy(unwrapped(t.upstream), t.client.Conn)
		sent += n
		t.endStream(t.upstream, err)
	})
	received, err := io.Copy(t.client.Conn, unwrapped(t.upstream))
	t.endStream(t.client, err)
	copies.Wait()
	p.Record(Exchange{
		Kind: KindTunnel, Method: http.MethodConnect, Host: t.target.Host, Port: t.target.Port, Status: http.StatusOK,
		Start: t.start, Duration: time.Since(t.start), Sent: sent, Received: received,
	})
}

// endStream passes the orderly end of one stream on to the other connection. After
// an error no orderly end is possible, so both connections are closed.
func (t *tunnel) endStream(to net.Conn, err error) {
	if err != nil || closeWrite(to) != nil {
		t.close()
	}
}

func (t *tunnel) close() {
	t.client.Close()
	t.upstream.Close()
}

// closeWrite ends our side of c's stream. A connection that cannot do that is
// closed.
func closeWrite(c net.Conn) error {
	if p, ok := c.(*prefixConn); ok {
		c = p.Conn
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// unwrapped removes the wrapper of a TCP connection, so that io.Copy can use
// splice.
func unwrapped(c net.Conn) net.Conn {
	if p, ok := c.(*prefixConn); ok && len(p.early) == 0 {
		return p.Conn
	}
	return c
}
