package routing

import (
	"cmp"
	"slices"

	"github.com/authsome/authsome/providers"
)

// Action is what happens to one request on an intercepted connection.
type Action int

const (
	// Forward sends the request on without a credential.
	Forward Action = iota
	// Inject puts the connection's credential on the request.
	Inject
	// Refuse answers the request here.
	Refuse
)

// Reason says why a decision was taken. The values are the closed set used by
// metrics, `why` and the proxy's own answers.
type Reason string

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

// Decision is the answer for one request.
type Decision struct {
	Action     Action
	Reason     Reason
	Provider   string   // empty when no provider claims the path
	Connection string   // the connection chosen, where there is one
	Pattern    string   // the host pattern that matched
	Problem    string   // login_required: why, where it is known
	Path       string   // the path as records may have it, where it can hold a credential
	Choices    []string // route_ambiguous: what can be named, as PROVIDER or PROVIDER=CONNECTION
}

// Request decides a request on an intercepted connection. The path is the
// escaped path as the client sent it.
//
// Servers differ in how they read %2F, dot segments, semicolons and doubled
// slashes, so the decision is taken for every reading of the path. Where they
// disagree the request is refused: a credential never depends on a guess about
// what the upstream will make of the path.
func (t *Table) Request(method, host string, port int, escapedPath string) Decision {
	readings, err := providers.Readings(escapedPath)
	if err != nil {
		return Decision{Action: Refuse, Reason: PathAmbiguous}
	}
	routes := t.onHost(host)
	d := decide(routes, method, host, port, escapedPath)
	for _, p := range readings {
		if !d.same(decide(routes, method, host, port, p)) {
			return Decision{Action: Refuse, Reason: PathAmbiguous, Provider: d.Provider}
		}
	}
	return d
}

func (d Decision) same(other Decision) bool {
	return d.Action == other.Action && d.Reason == other.Reason && d.Provider == other.Provider && d.Connection == other.Connection
}

func decide(routes []*route, method, host string, port int, p string) Decision {
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
	// The endpoints of every provider on this host are excluded, whichever of
	// them the path would go to: a token endpoint takes client credentials, and
	// its answer is a new secret.
	for _, r := range routes {
		if r.definition.OAuthEndpoint(host, p) {
			return Decision{Action: Forward, Reason: OAuthEndpoint, Provider: r.definition.Name, Pattern: r.pattern.String()}
		}
	}
	best = preferLive(best)
	if len(best) == 0 {
		return Decision{Action: Forward, Reason: outside, Provider: routes[0].definition.Name, Pattern: routes[0].pattern.String()}
	}
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

// preferLive leaves out the connections that were logged out, unless nothing
// else is left: logging out of one provider and into another for the same host
// is not an ambiguity.
func preferLive(routes []*route) []*route {
	if len(routes) < 2 {
		return routes
	}
	live := slices.DeleteFunc(slices.Clone(routes), func(r *route) bool { return r.state == Gone })
	if len(live) == 0 {
		return routes
	}
	return live
}

// alternatives lists what the user can choose between, or nil when there is
// nothing to choose.
func alternatives(best []*route) []string {
	if len(best) == 1 && best[0].choices == nil {
		return nil
	}
	var names []string
	for _, r := range best {
		name := r.definition.Name
		if r.choices == nil {
			names = append(names, name)
		}
		for _, c := range r.choices {
			names = append(names, name+"="+c)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 2 {
		return nil
	}
	return names
}
