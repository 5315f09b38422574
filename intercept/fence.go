package intercept

import (
	"net/http"

	"github.com/authsome/authsome/internal/hosts"
)

// Fence limits what clients reach without interception, in every way: by CONNECT, in
// absolute form, over plain http, and on captured connections. They reach ports 443 and
// 80 and the ports of routes, on addresses that are not of this machine.
type Fence struct {
	// Allowed reports whether the user opened a target. It is then reached on any port,
	// also on this machine: localhost means this machine, and not the client's. Metadata
	// services and the proxy's own ports stay closed. It is called concurrently; nil
	// allows no target.
	Allowed func(Target) bool
}

func (f *Fence) allows(t Target) bool { return f != nil && f.Allowed != nil && f.Allowed(t) }

// fenced returns the answer to a client that may not reach t, or nil. It decides by the
// port; the guard decides about addresses when they are known.
func (p *Proxy) fenced(t Target) *Refusal {
	if p.Fence == nil || t.Port == 443 || t.Port == 80 || p.Fence.allows(t) || p.Routes().HasPort(t.Port) {
		return nil
	}
	return notAllowed(t, "only ports 443 and 80 and those of connected providers are open")
}

// notAllowed is the answer to a client that a [Fence] keeps from t.
func notAllowed(t Target, reason string) *Refusal {
	if hosts.MayBeLoopback(t.Host) {
		reason = "in an isolated run, localhost is the run itself, and is reached without a proxy"
	}
	return &Refusal{Status: http.StatusForbidden, Code: CodeNotAllowed, Host: t.String(), Message: t.String() + " may not be reached: " + reason}
}
