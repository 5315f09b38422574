package intercept

import (
	"time"

	"github.com/authsome/authsome/routing"
)

// Kind is the sort of thing an [Exchange] describes.
type Kind string

const (
	KindRequest Kind = "request" // on an intercepted connection
	KindPlain   Kind = "plain"   // over plain http
	KindTunnel  Kind = "tunnel"  // relayed unopened
	KindRefused Kind = "refused" // a connection that was not served
)

// Exchange is one finished request, tunnel or refusal: all that metrics, audit
// and the log are told. It holds no header, no query and no body.
type Exchange struct {
	Kind       Kind
	Host       string
	Port       int
	Method     string
	Path       string // without the query
	Provider   string
	Connection string
	Injected   bool
	Replayed   bool           // sent a second time, with a renewed credential
	Reason     routing.Reason // the routing decision, where one was taken
	Code       Code           // the proxy's own answer, empty when the upstream answered
	Status     int            // what the client was sent; 0 if nothing
	Start      time.Time
	Added      time.Duration // spent here before the request went upstream
	FirstByte  time.Duration // from the start to the response head; 0 without one
	Duration   time.Duration
	Sent       int64 // body bytes towards the upstream; for tunnels, all bytes
	Received   int64 // body bytes towards the client
	Aborted    bool  // ended before the response was complete
}
