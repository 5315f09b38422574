// Package intercept is the proxy. It accepts an agent's connections, passes those
// to other hosts through without reading them, and ends TLS on those to the hosts
// of connected providers, where it puts a credential on each request.
//
// It stores nothing and has no access to the vault, to OAuth or to the command
// line. Package routing decides what happens to a request and package providers
// defines what a credential looks like; routing tables, certificates, credentials
// and the fixes in answers come in through the fields of [Proxy]. gomitmproxy
// serves the listener, parses CONNECT and calls our hooks. Once a CONNECT is
// approved, this package takes the connection back (adopt.go says how and why).
//
// Its invariant: the authority named in CONNECT is the only one that a connection
// ever has, or for a client that knows no proxy, the one named in TLS (see [Capture]). The route, the address dialled, the name in the upstream's
// certificate and the Host header all derive from it. A request that names another
// one is refused.
package intercept

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// Authority mints the certificate that the client is shown for a host.
type Authority interface {
	Leaf(host string) (*tls.Certificate, error)
}

// Credentials puts a connection's credential on a request and removes what the
// client sent in the same places. After an error from Apply the request is not
// sent; a [*Refusal] in the error's chain chooses the answer.
//
// Renew reports that the upstream refused the credential with that mark. It
// returns whether Apply uses another credential from now on. Implementations must
// limit how often they ask for a new one: clients can provoke refusals.
type Credentials interface {
	Apply(ctx context.Context, r *http.Request, provider, connection string) (Applied, error)
	Renew(ctx context.Context, provider, connection string, mark uint64) bool
}

// Applied is a credential that was put on a request.
type Applied struct {
	Injection *providers.Injection
	// Mark distinguishes the credential from the next one of the same connection.
	// It is 0 for a credential that cannot be renewed.
	Mark uint64
}

// Proxy is a forward proxy. Its exported fields must be set before [Proxy.Serve]
// and not changed after.
type Proxy struct {
	Routes      func() *routing.Table // the current table; called at least once for each request
	Authority   Authority
	Credentials Credentials
	Record      func(Exchange) // called once for each finished request or tunnel, never after Shutdown; nil records nothing
	Fix         Fixes          // what to do about a refusal, for its answer; nil adds nothing
	Log         *slog.Logger   // nil discards
	// Self answers the requests to [SelfHost] whose paths begin with [SelfPath], after the
	// client has shown that it may use the proxy; nil answers them as all others there.
	Self http.Handler

	// Token, if set, is the password that clients send in Proxy-Authorization.
	// Processes of the proxy's own user that connect over loopback need no token,
	// where the system can identify them (see [KnowsPeers]) and RequireToken is
	// not set.
	Token        secret.String
	RequireToken bool
	// Private means that only processes that may use the proxy can reach its listener, as
	// in a separate network namespace. Then the kernel is not asked, and nobody needs
	// a token.
	Private bool

	// Captured are listeners for the connections of clients that know no proxy, and Capture
	// says what their addresses mean. Only processes that may use the proxy can reach these
	// listeners. Serve serves them too.
	Captured []net.Listener
	Capture  Capture

	// Fence limits what clients reach; nil sets no limit.
	Fence *Fence

	// Settings for the upstream side.
	ConnectTo       []ConnectTo
	UpstreamRoots   *x509.CertPool                   // nil means the system's
	UpstreamProxy   func(*url.URL) (*url.URL, error) // nil connects directly
	ResponseTimeout time.Duration                    // how long to wait for a response head; 0 sets no limit
	AllowPrivate    bool                             // off loopback, let clients reach private addresses
	Own             []net.Addr                       // where else this process listens; clients reach none of it

	stallLimit, leftCheck time.Duration // 0 means the constants; tests set them

	once         sync.Once   // guards the initialisation in start
	started      atomic.Bool // once is done
	guard        *guard
	upstream     *upstream
	proxied      *queue // CONNECT, for gomitmproxy
	plain        *queue // everything else, for the plain server
	intercepted  *queue // adopted connections, for the interception server
	plainServer  *http.Server
	secureServer *http.Server
	tracker      tracker
	handling     gate     // requests and CONNECTs that are being handled
	heads        sync.Map // connection id → *clientConn, until adopted or closed
	nextID       atomic.Uint64
	decided      atomic.Uint64 // number of OnRequest calls, for tests
	// strangerLogged is when logForeign last logged a stranger, in seconds.
	strangerLogged atomic.Int64
	// identifyWithin is [identifyTime], except in tests.
	identifyWithin time.Duration
	closing        atomic.Bool
	ended          chan struct{} // closed when Shutdown is done
	endOnce        sync.Once
}

// Limits on clients that are slow or send too much.
const (
	maxHeadBytes  = 16 << 10         // a CONNECT request's head
	headTimeout   = 10 * time.Second // from a head's first byte to its end
	idleTimeout   = 5 * time.Minute  // a connection on which nothing was sent yet
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
		if p.Fix == nil {
			p.Fix = func(*Refusal) (string, string) { return "", "" }
		}
		p.tracker.strangers.limit = cmp.Or(p.tracker.strangers.limit, strangerLimit(descriptors()))
		p.identifyWithin = cmp.Or(p.identifyWithin, identifyTime)
		p.stallLimit, p.leftCheck = cmp.Or(p.stallLimit, stallLimit), cmp.Or(p.leftCheck, leftCheck)
		p.guard = newGuard(listening, p.Own, p.AllowPrivate)
		p.guard.fenced = p.Fence != nil
		p.upstream = newUpstream(p)
		p.proxied, p.plain, p.intercepted = newQueue(listening), newQueue(listening), newQueue(listening)
		p.plainServer = p.newPlainServer()
		p.secureServer = p.newSecureServer()
		p.ended = make(chan struct{})
		p.started.Store(true)
	})
}

// Serve accepts connections from l and from Captured until [Proxy.Shutdown], and returns
// when that is done. A failing Accept, for example without free descriptors, is retried.
// If a listener is broken, so that trying again is useless, Serve returns its error at
// once; then only Shutdown ends what was accepted before.
func (p *Proxy) Serve(l net.Listener) error {
	p.start(l.Addr())
	var servers sync.WaitGroup
	servers.Go(func() { p.plainServer.Serve(p.plain) })
	servers.Go(func() { p.secureServer.ServeTLS(p.intercepted, "", "") })
	servers.Go(func() { p.serveConnect() })
	ended := make(chan error, 1+len(p.Captured))
	p.listen(l, p.acceptClients, ended)
	for _, l := range p.Captured {
		p.listen(l, p.acceptCaptured, ended)
	}
	defer p.proxied.Close()
	for range cap(ended) {
		if err := <-ended; err != nil {
			return err
		}
	}
	p.proxied.Close()
	servers.Wait()
	<-p.ended
	return nil
}

// listen calls accept on a goroutine, and sends its error to ended. A shutdown closes l.
func (p *Proxy) listen(l net.Listener, accept func(net.Listener) error, ended chan<- error) {
	p.tracker.onShutdown(func() { l.Close() })
	go func() { ended <- accept(l) }()
}

// accept passes each connection to admit, until that returns false.
func (p *Proxy) accept(l net.Listener, admit func(net.Conn) bool) error {
	const maxDelay = time.Second
	delay := 5 * time.Millisecond
	for {
		raw, err := l.Accept()
		switch {
		case err == nil:
			delay = 5 * time.Millisecond
			if !admit(raw) {
				return nil
			}
		case p.closing.Load() || errors.Is(err, net.ErrClosed):
			return nil
		case permanent(err):
			return fmt.Errorf("accept connections: %w", err)
		default:
			p.Log.Error("accept failed, trying again", "err", err, "in", delay)
			time.Sleep(delay)
			delay = min(2*delay, maxDelay)
		}
	}
}

// permanent reports whether an error of Accept is about the listener itself, and not
// about one connection or the system's resources.
func permanent(err error) bool {
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK)
}

// Shutdown stops accepting, lets requests in flight and tunnels end until ctx is
// done, and then closes what is left. When it returns, nothing is being handled
// and nothing more is recorded. It returns ctx's error if it had to close anything
// early.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.closing.Store(true)
	p.start(nil) // if Serve has not started yet, it must end at once
	p.tracker.shutdown()
	var done sync.WaitGroup
	done.Go(func() { p.plainServer.Shutdown(ctx) })
	done.Go(func() { p.secureServer.Shutdown(ctx) })
	done.Wait()
	err := p.tracker.wait(ctx)
	p.plainServer.Close()
	p.secureServer.Close()
	p.tracker.closeAll()
	p.handling.close()
	p.upstream.closeIdle()
	p.endOnce.Do(func() { close(p.ended) })
	return err
}

// Stats counts what is open at one moment.
type Stats struct {
	Connections int // accepted and not yet closed, of every kind
	Tunnels     int // connections passed through
}

// Stats may be called at any time, also before Serve.
func (p *Proxy) Stats() Stats { return p.tracker.stats() }

// DropTunnels closes the tunnels that the current routes would not pass through. It is
// for a reload: tunnels to hosts that gained a route must end, so that the client
// connects again and is intercepted.
func (p *Proxy) DropTunnels() {
	p.tracker.drop(func(t Target) bool { return p.passage(t) != routing.Tunnel })
}

// ForgetConnections closes the idle upstream connections, so that a replaced
// credential is never used on one that was opened with the old credential.
func (p *Proxy) ForgetConnections() {
	if p.started.Load() {
		p.upstream.closeIdle()
	}
}
