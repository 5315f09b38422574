package routing

import (
	"cmp"

	"github.com/authsome/authsome/providers"
)

// Action is what happens to one request on an intercepted connection.
type Action int

const (
	// Forward sends the request on without a credential.
	Forward Action = iota
	// Inject puts the connection's credential on the request.
	Inject
	// Refuse answers the request in the proxy.
	Refuse
)

// Reason says why a decision was made. Metrics, `authsome why` and the proxy's own
// answers use these values and no others.
type Reason string

// The reasons.
const (
	Matched         Reason = "matched"
	NoRoute         Reason = "no_route"
	OtherPort       Reason = "other_port"
	PathOutside     Reason = "path_outside"
	MethodOutside   Reason = "method_outside"
	OAuthEndpoint   Reason = "oauth_endpoint"
	Unsigned        Reason = "unsigned" // found when the credential is applied, not by a table
	LoginRequired   Reason = "login_required"
	RouteAmbiguous  Reason = "route_ambiguous"
	PathAmbiguous   Reason = "path_ambiguous"
	HostDenied      Reason = "host_denied"
	HTTPSRequired   Reason = "https_required"
	TunnelUnmatched Reason = "tunnel"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{
		Matched, NoRoute, OtherPort, PathOutside, MethodOutside, OAuthEndpoint, Unsigned,
		LoginRequired, RouteAmbiguous, PathAmbiguous, HostDenied, HTTPSRequired, TunnelUnmatched,
	}
}

// Decision is the answer for one request.
type Decision struct {
	Action     Action
	Reason     Reason
	Provider   string   // empty if no provider lists the path
	Connection string   // the connection that was chosen, if any
	Pattern    string   // the host pattern that matched
	Problem    string   // login_required: why, if it is known
	Path       string   // the path as it may be recorded, if the path itself can hold a credential
	Choices    []string // route_ambiguous: what can be chosen, as PROVIDER or PROVIDER=CONNECTION
}

// Request decides a request on an intercepted connection. The path is the escaped
// path as the client sent it.
//
// Servers differ in how they read %2F, dot segments, semicolons and doubled
// slashes, so every reading of the path is decided. If the decisions differ, the
// request is refused: a credential never depends on a guess about how the upstream
// reads the path.
func (t *Table) Request(method, host string, port int, escapedPath string) Decision {
	readings, err := providers.Readings(escapedPath)
	if err != nil {
		return Decision{Action: Refuse, Reason: PathAmbiguous}
	}
	var few [8]*route // usually enough; keeps the list off the heap
	routes := t.onHost(few[:0], host)
	d := decide(routes, method, port, escapedPath)
	for _, p := range readings {
		if !d.same(decide(routes, method, port, p)) {
			return Decision{Action: Refuse, Reason: PathAmbiguous, Provider: d.Provider}
		}
	}
	return d
}

func (d Decision) same(other Decision) bool {
	return d.Action == other.Action && d.Reason == other.Reason && d.Provider == other.Provider && d.Connection == other.Connection
}

// decide decides one reading of a path. The routes are those of the host.
func decide(routes []*route, method string, port int, p string) Decision {
	var few [4]*route // almost always one; keeps the list off the heap
	best := few[:0]
	longest := 0 // prefix of the best
	onPort, outside := false, PathOutside
	for _, r := range routes {
		if r.pattern.Port() != port {
			continue
		}
		onPort = true
		length, ok := r.pattern.MatchPath(p)
		if !ok || r.definition.Excludes(p) {
			continue
		}
		if !r.definition.Allows(method) {
			outside = MethodOutside
			continue
		}
		if len(best) > 0 {
			switch c := cmp.Or(cmp.Compare(length, longest), r.pattern.Compare(best[0].pattern)); {
			case c < 0:
				continue
			case c > 0:
				best = best[:0]
			}
		}
		best, longest = append(best, r), length
	}
	if !onPort {
		reason := NoRoute
		if len(routes) > 0 {
			reason = OtherPort
		}
		return Decision{Action: Forward, Reason: reason}
	}
	// The OAuth endpoints of every provider on this host are excluded, for requests to
	// any of them: a token endpoint takes client credentials, and its answer is a new
	// secret. Only their paths count, because a service has the same ones on its other
	// hosts.
	for _, r := range routes {
		if r.endpoints.Match(p) || r.discovered.Match(p) {
			return Decision{Action: Forward, Reason: OAuthEndpoint, Provider: r.definition.Name, Pattern: r.pattern.String()}
		}
	}
	best = preferLive(best)
	if len(best) == 0 {
		return Decision{Action: Forward, Reason: outside, Provider: routes[0].definition.Name, Pattern: routes[0].pattern.String()}
	}
	return chosen(best, p)
}

// chosen decides between the routes that match best, of which there is at least
// one.
func chosen(best []*route, p string) Decision {
	r := best[0]
	d := Decision{Provider: r.definition.Name, Connection: r.connection, Pattern: r.pattern.String()}
	if redacted := r.definition.Redact(p); redacted != p {
		d.Path = redacted
	}
	if choices := alternatives(best); choices != nil {
		d.Action, d.Reason, d.Choices, d.Connection = Refuse, RouteAmbiguous, choices, ""
		if len(best) > 1 {
			d.Provider = ""
		}
		return d
	}
	if r.state != Ready {
		d.Action, d.Reason, d.Problem = Refuse, LoginRequired, r.problem
		return d
	}
	d.Action, d.Reason = Inject, Matched
	return d
}
