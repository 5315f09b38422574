// Package explain puts the decisions of the proxy into words: what happens to a
// request, and the command that changes it. Such a command works as it is.
//
// It makes no decisions itself: packages routing and intercept do.
package explain

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Profile is what the explanation of a decision depends on.
type Profile struct {
	Providers *providers.Set
	// Connected are the providers with a connection.
	Connected []string
	// Waiting has the providers with a connection that does not use its changed definition
	// yet, and how to accept that.
	Waiting map[string]suggest.Suggestion
	// LeftOut are the connections that would cover the host, if they were not left out by
	// the flag --provider.
	LeftOut []routing.Choice
}

// Decision says what the proxy would do with a request, and how to change that.
func (p Profile) Decision(e routing.Explanation) (text string, next suggest.Suggestion) {
	connection := e.Provider + "/" + e.Connection
	inspect := suggest.Command("inspect %s", e.Provider)
	var none suggest.Suggestion
	switch e.Reason {
	case routing.Matched:
		return "intercepted, with the credential of " + connection, none
	case routing.LoginRequired:
		text := "refused (login_required): " + connection + " needs a new login"
		if e.Problem != "" {
			text += ": " + e.Problem
		}
		return text, suggest.Login(e.Provider, e.Connection)
	case routing.RouteAmbiguous:
		return "refused (route_ambiguous): several connections match: " + strings.Join(e.Choices, ", "), choose(e.Choices, e.HasDefault, e.Host)
	case routing.PathOutside:
		return "forwarded without a credential: " + e.Provider + " does not cover this path of its host", inspect
	case routing.MethodOutside:
		return "forwarded without a credential: " + e.Provider + " does not cover the method " + e.Method, inspect
	case routing.OAuthEndpoint:
		return "forwarded without a credential: this is a sign-in endpoint of " + e.Provider + ", which never gets a stored credential", none
	case routing.PathAmbiguous:
		return "refused (bad_request): servers read this path in different ways, with different decisions; write it without dot segments, semicolons, doubled slashes and encoded slashes", none
	case routing.HTTPSRequired:
		secure := map[string]string{"http": "https", "ws": "wss"}[e.Scheme]
		return fmt.Sprintf("refused (https_required): credentials of %s are sent over %s only; use %[2]s://%s", e.Provider, secure, e.Host), suggest.Command("why %s", suggest.Words(secure+"://"+e.Host+e.Path))
	case routing.HostDenied:
		why := "no connected provider covers this host"
		if len(p.LeftOut) > 0 {
			why = p.leftOut(e)
		}
		_, next := p.passedThrough(e)
		return "refused (host_denied): " + why + ", and --unmatched deny refuses such hosts", next
	case routing.OtherPort:
		return fmt.Sprintf("passed through: a connected provider covers this host on another port than %d", e.Port), none
	case routing.NoRoute:
		if len(p.LeftOut) > 0 {
			return "forwarded without a credential: this is plain " + e.Scheme + ", and " + p.leftOut(e), none
		}
		return "forwarded without a credential: this is plain " + e.Scheme + ", and no connected provider covers " + e.Host, none
	}
	return p.passedThrough(e)
}

// passedThrough explains why a host is passed through.
func (p Profile) passedThrough(e routing.Explanation) (string, suggest.Suggestion) {
	if len(p.LeftOut) > 0 {
		return "passed through: " + p.leftOut(e), suggest.Advice("leave out --provider, or add --provider %s", p.LeftOut[0])
	}
	var owners []*providers.Definition
	var names []string
	elsewhere := false // an owner is connected, but not to this host
	for _, d := range p.Providers.All() {
		if !d.Claims(e.Host, e.Port) {
			continue
		}
		if accept, ok := p.Waiting[d.Name]; ok {
			return "passed through: the definition of " + d.Name + " was changed to cover " + e.Host + ", and its connection does not use that yet", accept
		}
		owners, names = append(owners, d), append(names, d.Name)
		elsewhere = elsewhere || slices.Contains(p.Connected, d.Name)
	}
	switch {
	case len(owners) == 0:
		name := nameFor(p.Providers, e.Host)
		return "passed through: no provider covers " + e.Host, suggest.Command("provider new %s > %[1]s.json", name)
	case len(owners) == 1 && elsewhere:
		return "passed through: " + names[0] + " covers " + e.Host + ", but its connections are for other hosts", p.login(owners[0], e.Host)
	case len(owners) == 1:
		return "passed through: " + names[0] + " covers " + e.Host + ", but is not connected", p.login(owners[0], e.Host)
	case elsewhere:
		return "passed through: none of the providers that cover " + e.Host + " has a connection for it: " + strings.Join(names, ", "), p.login(owners[0], e.Host)
	}
	return "passed through: none of the providers that cover " + e.Host + " is connected: " + strings.Join(names, ", "), p.login(owners[0], e.Host)
}

// leftOut says which connections the flag --provider leaves out.
func (p Profile) leftOut(e routing.Explanation) string {
	verb := "cover"
	if len(p.LeftOut) == 1 {
		verb = "covers"
	}
	return "--provider leaves out " + strings.Join(Names(p.LeftOut), " and ") + ", which " + verb + " " + e.Host
}

// login proposes a connection for a host. It is named after the host if the provider has
// connections, which are for other hosts.
func (p Profile) login(d *providers.Definition, host string) suggest.Suggestion {
	if !slices.Contains(p.Connected, d.Name) {
		return suggest.Login(d.Name, "")
	}
	s := suggest.Login(d.Name, host)
	if u, err := url.Parse(d.BaseURL); err == nil && u.Hostname() == host {
		s = s.With("--base-url " + d.BaseURL) // without it, a login uses the address of the default connection
	}
	return s
}

// nameFor proposes the name of a new provider for a host.
func nameFor(set *providers.Set, host string) string {
	labels := strings.Split(host, ".")
	n := len(labels) - 2
	if n > 0 && len(labels[n]) <= 3 { // such as co.uk
		n--
	}
	for _, name := range []string{labels[max(n, 0)], strings.ReplaceAll(host, ".", "-")} {
		if _, err := set.Lookup(name); err != nil && providers.ValidateName(name) == nil && net.ParseIP(host) == nil {
			return name
		}
	}
	return "service"
}
