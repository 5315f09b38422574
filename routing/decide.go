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
	HasDefault bool     // route_ambiguous, all choices of one provider: it has a default connection, for other hosts
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
	d := t.decide(routes, method, host, port, escapedPath)
	for _, p := range readings {
		if !d.same(t.decide(routes, method, host, port, p)) {
			return Decision{Action: Refuse, Reason: PathAmbiguous, Provider: d.Provider}
		}
	}
	return d
}

func (d Decision) same(other Decision) bool {
	return d.Action == other.Action && d.Reason == other.Reason && d.Provider == other.Provider && d.Connection == other.Connection
}

// decide decides one reading of a path. The routes are those of the host.
func (t *Table) decide(routes []*route, method, host string, port int, p string) Decision {
	var few [8]*route
	covering, otherwise := covering(few[:0], routes, method, port, p)
	if otherwise == NoRoute || otherwise == OtherPort {
		return Decision{Action: Forward, Reason: otherwise}
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
	if len(covering) == 0 {
		return Decision{Action: Forward, Reason: otherwise, Provider: routes[0].definition.Name, Pattern: routes[0].pattern.String()}
	}
	return t.chosenOf(t.serving(mostSpecific(t.named(covering), p), host), p)
}

// covering appends to found the routes that cover a request. If there are none, the
// reason says why.
func covering(found, routes []*route, method string, port int, p string) ([]*route, Reason) {
	otherwise := NoRoute
	if len(routes) > 0 {
		otherwise = OtherPort
	}
	for _, r := range routes {
		if r.pattern.Port() != port {
			continue
		}
		if otherwise == OtherPort {
			otherwise = PathOutside
		}
		if _, ok := r.pattern.MatchPath(p); !ok || r.definition.Excludes(p) {
			continue
		}
		if !r.definition.Allows(method) {
			otherwise = MethodOutside
			continue
		}
		found = append(found, r)
	}
	return found, otherwise
}

// mostSpecific keeps the routes that match a path best: those with the longest prefix
// and, of these, those with the most specific host. It reuses the memory of routes.
func mostSpecific(routes []*route, p string) []*route {
	if len(routes) < 2 {
		return routes
	}
	best, longest := routes[:0], 0
	for _, r := range routes {
		length, _ := r.pattern.MatchPath(p)
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
	return best
}

// chosenOf is the decision for the routes that are left for a request, of which there is
// at least one. They are of one connection, or the request is ambiguous.
func (t *Table) chosenOf(left []*route, p string) Decision {
	r := left[0]
	d := Decision{Provider: r.definition.Name, Connection: r.connection, Pattern: r.pattern.String()}
	if redacted := r.definition.Redact(p); redacted != p {
		d.Path = redacted
	}
	if !sameConnection(left) {
		d.Action, d.Reason, d.Connection = Refuse, RouteAmbiguous, ""
		d.Choices, d.HasDefault = t.choices(left)
		if !sameProvider(left) {
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
