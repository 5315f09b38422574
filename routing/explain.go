package routing

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/authsome/authsome/internal/hosts"
)

// Explanation is what the proxy would do with a request, and the request as parsed.
type Explanation struct {
	Decision
	Method string
	Scheme string
	Host   string // normalised
	Port   int
	Path   string
	Among  []Choice // the connections that match the request equally well, sorted
}

// Explain decides a request to u as the proxy would. It calls the same functions as
// the proxy: [Table.Host] for the connection and [Table.Request] for the request, or
// [Table.Plain].
func (t *Table) Explain(method string, u *url.URL) (Explanation, error) {
	host, err := hosts.Normalize(u.Hostname())
	if err != nil {
		return Explanation{}, fmt.Errorf("invalid host in the URL: %w", err)
	}
	e := Explanation{Method: method, Scheme: u.Scheme, Host: host, Path: u.EscapedPath()}
	if e.Path == "" {
		e.Path = "/"
	}
	switch u.Scheme {
	case "https", "wss":
		e.Port = 443
	case "http", "ws":
		e.Port = 80
	default:
		return Explanation{}, fmt.Errorf("scheme %q: only https, http, wss and ws go through the proxy", u.Scheme)
	}
	if s := u.Port(); s != "" {
		port, err := strconv.ParseUint(s, 10, 16)
		if err != nil || port == 0 {
			return Explanation{}, fmt.Errorf("port %q: not a number from 1 to 65535", s)
		}
		e.Port = int(port)
	}
	if e.Scheme == "http" || e.Scheme == "ws" {
		e.Decision = t.Plain(host)
		return e, nil
	}
	switch t.Host(host, e.Port) {
	case Intercept:
		e.Decision = t.Request(method, host, e.Port, e.Path)
		if e.Reason == Matched || e.Reason == LoginRequired || e.Reason == RouteAmbiguous {
			covering, _ := covering(nil, t.onHost(nil, host), method, e.Port, e.Path)
			e.Among = connections(mostSpecific(t.named(covering), e.Path))
		}
	case Deny:
		e.Decision = Decision{Action: Refuse, Reason: HostDenied}
	default:
		e.Decision = Decision{Action: Forward, Reason: TunnelUnmatched}
		if len(t.onHost(nil, host)) > 0 {
			e.Decision.Reason = OtherPort
		}
	}
	return e, nil
}

// Plain decides a request over plain http to host. If the host has a route on any
// port it is refused: a credential is sent over TLS only.
func (t *Table) Plain(host string) Decision {
	if routes := t.onHost(nil, host); len(routes) > 0 {
		return Decision{Action: Refuse, Reason: HTTPSRequired, Provider: routes[0].definition.Name, Pattern: routes[0].pattern.String()}
	}
	if t.deny {
		return Decision{Action: Refuse, Reason: HostDenied}
	}
	return Decision{Action: Forward, Reason: NoRoute}
}
