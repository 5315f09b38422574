package intercept

import (
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Kind says what an [Exchange] describes.
type Kind string

// The kinds.
const (
	KindRequest Kind = "request" // to an intercepted host
	KindPlain   Kind = "plain"   // to another host, and not through a tunnel: over plain http, or for an https URL in absolute form
	KindTunnel  Kind = "tunnel"  // a connection that was passed through
	KindRefused Kind = "refused" // a connection that was refused
	KindUnused  Kind = "unused"  // an intercepted connection that its client ended before a request: it may not trust the certificate
)

// Exchange describes one finished request, tunnel or refusal. It is all that
// metrics, the audit log and the log get to know: it has no header, no query and no
// body.
type Exchange struct {
	Kind       Kind
	Host       string
	Port       int
	Method     string
	Path       string // without the query
	Provider   string
	Connection string
	Injected   bool
	Presented  providers.Presented // by the client, where the credential was put; only if Injected
	Replayed   bool                // sent a second time, with a renewed credential
	Reason     routing.Reason      // of the routing decision; empty if none was made
	Code       Code                // of the proxy's own answer; empty if the upstream answered
	Status     int                 // that the client was sent; 0 if nothing
	Start      time.Time
	Added      time.Duration // spent in the proxy before the request was sent upstream; 0 if it was not
	FirstByte  time.Duration // from Start to the response head; 0 without one
	Duration   time.Duration
	Sent       int64 // body bytes sent upstream; for tunnels, all bytes
	Received   int64 // body bytes sent to the client; for tunnels, all bytes
	Masked     int   // secrets that were masked in the response
	Unscanned  bool  // the response was encoded, so its body was not searched for secrets
	Aborted    bool  // ended before the response was complete
	Stranger   bool  // the client did not show that it may use the proxy: nothing that it sent is here; without a Code it was dropped unanswered
}
