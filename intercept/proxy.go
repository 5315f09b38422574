// Package intercept is the proxy: it accepts an agent's connections, relays
// those to unknown hosts unopened, ends TLS on those to the hosts of connected
// providers, and puts a credential on each request there.
//
// It stores nothing and knows nothing of OAuth, files or providers: routes,
// leaves and credentials come in through the fields of [Proxy]. gomitmproxy
// serves the listener, parses CONNECT and runs the hooks; from the moment a
// connection is approved it is ours (see adopt.go for how, and why).
//
// Its invariant: the authority named in CONNECT is the only one a connection
// ever has. The route, the address dialled, the name in the upstream's
// certificate and the Host sent all derive from it; whatever the client says
// later may agree or be refused.
package intercept

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// Authority mints the certificate the client is shown for a host.
type Authority interface {
	Leaf(host string) (*tls.Certificate, error)
}

// Credentials puts a connection's credential on a request, removing whatever
// the client put in its place. An error means the request must not be sent; a
// [*Refusal] in its chain chooses the answer.
//
// Renew is told that the upstream refused the credential with that mark, and
// reports whether Apply puts another one on from now on. How often it tries to get
// one is its own to limit: clients can provoke refusals.
type Credentials interface {
	Apply(ctx context.Context, r *http.Request, provider, connection string) (Applied, error)
	Renew(ctx context.Context, provider, connection string, mark uint64) bool
}

// Applied is a credential that was put on a request.
type Applied struct {
	Injection *providers.Injection
	// Mark tells the credential from the next one of the same connection; 0 is one
	// that cannot be renewed.
	Mark uint64
}

// Proxy is a forward proxy. Its exported fields must be set before [Proxy.Serve]
// and not changed after.
type Proxy struct {
	Routes      func() *routing.Table // the table in force; called once a request
	Authority   Authority
	Credentials Credentials
	Record      func(Exchange) // called once for each finished request or tunnel; nil records nothing
	Log         *slog.Logger   // nil is quiet

	// Token, when set, is the password that a client presents in
	// Proxy-Authorization. Processes of the proxy's own uid that come over
	// loopback need none, where the system tells whose they are, unless
	// RequireToken is set.
	Token        secret.String
	RequireToken bool

	// Upstream side.
	ConnectTo       []ConnectTo
	UpstreamRoots   *x509.CertPool // nil means the system's
	UpstreamProxy   func(*url.URL) (*url.URL, error)
	ResponseTimeout time.Duration // wait for a response head; 0 waits for ever
	AllowPrivate    bool          // off loopback, let clients reach private addresses
	Profile         string        // for the commands that answers propose; empty for the default

	once         sync.Once   // sets all up to secureServer
	started      atomic.Bool // once is done
	guard        *guard
	upstream     *upstream
	proxied      *queue // CONNECT, for gomitmproxy
	plain        *queue // everything else, for the plain server
	intercepted  *queue // adopted connections, for the interception server
	plainServer  *http.Server
	secureServer *http.Server
	tracker      tracker
	heads        sync.Map // connection id → *clientConn, until adopted or closed
	nextID       atomic.Uint64
	decided      atomic.Uint64 // OnRequest calls, for the test that counts them
	closing      atomic.Bool
}

// Limits on a client that is slow or says too much.
const (
	maxHeadBytes  = 16 << 10         // a CONNECT request's head
	headTimeout   = 10 * time.Second // from a head's first byte to its end
	idleTimeout   = 5 * time.Minute  // a connection on which nothing was said yet
	maxInnerHead  = 256 << 10        // a request's head inside an intercepted connection
	innerTimeout  = 30 * time.Second // TLS handshake, and a request's head
	dialTimeout   = 30 * time.Second
	handshakeTime = 10 * time.Second
)

func (p *Proxy) start(listening net.Addr) {
	p.once.Do(func() {
		if p.Log == nil {
			p.Log = slog.New(slog.DiscardHandler)
		}
		if p.Record == nil {
			p.Record = func(Exchange) {}
		}
		p.guard = newGuard(listening, p.AllowPrivate)
		p.upstream = newUpstream(p)
		p.proxied, p.plain, p.intercepted = newQueue(listening), newQueue(listening), newQueue(listening)
		p.plainServer = p.newPlainServer()
		p.secureServer = p.newSecureServer()
		p.started.Store(true)
	})
}

// Serve accepts connections from l until [Proxy.Shutdown]. A failing Accept
// (out of descriptors, say) is retried: it never ends the proxy.
func (p *Proxy) Serve(l net.Listener) error {
	p.start(l.Addr())
	var servers sync.WaitGroup
	servers.Go(func() { p.plainServer.Serve(p.plain) })
	servers.Go(func() { p.secureServer.ServeTLS(p.intercepted, "", "") })
	servers.Go(func() { p.serveConnect() })
	p.tracker.onShutdown(func() { l.Close() })
	err := p.accept(l)
	p.proxied.Close()
	servers.Wait()
	return err
}

// accept hands each connection to a goroutine that reads its first head.
func (p *Proxy) accept(l net.Listener) error {
	const maxDelay = time.Second
	delay := 5 * time.Millisecond
	for {
		raw, err := l.Accept()
		switch {
		case err == nil:
			delay = 5 * time.Millisecond
			c := p.tracker.add(raw)
			if c == nil {
				raw.Close()
				return nil
			}
			go p.greet(c)
		case p.closing.Load() || errors.Is(err, net.ErrClosed):
			return nil
		default:
			p.Log.Error("accept failed, trying again", "err", err, "in", delay)
			time.Sleep(delay)
			delay = min(2*delay, maxDelay)
		}
	}
}

// Shutdown stops accepting, lets requests in flight and tunnels end until ctx is
// done, then closes what is left. It returns ctx's error if anything had to be
// cut.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.closing.Store(true)
	p.start(nil) // one that was not serving yet must not begin to
	p.tracker.shutdown()
	var done sync.WaitGroup
	done.Go(func() { p.plainServer.Shutdown(ctx) })
	done.Go(func() { p.secureServer.Shutdown(ctx) })
	done.Wait()
	err := p.tracker.wait(ctx)
	p.plainServer.Close()
	p.secureServer.Close()
	p.tracker.closeAll()
	p.upstream.closeIdle()
	return err
}

// Stats is a moment's view of what is open.
type Stats struct {
	Connections int // accepted and not yet closed, of every kind
	Tunnels     int // relayed unopened
}

// Stats may be called at any time, also before Serve.
func (p *Proxy) Stats() Stats { return p.tracker.stats() }

// DropTunnels closes the blind tunnels whose destination drop approves: after a
// reload, those to hosts that gained a route.
func (p *Proxy) DropTunnels(drop func(host string, port int) bool) { p.tracker.drop(drop) }

// ForgetConnections closes idle upstream sockets of every connection, so that a
// replaced credential never travels on a socket opened under the old one.
func (p *Proxy) ForgetConnections() {
	if p.started.Load() {
		p.upstream.closeIdle()
	}
}
