// Package explain puts the decisions of the proxy into words: what happens to a
// request, and the command that changes it. Such a command works as it is.
//
// It makes no decisions itself: packages routing and intercept do.
package explain

import (
	"fmt"
	"net"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Decision says what the proxy would do with a request, and how to change that. waiting
// has the providers with a connection that does not use its changed definition yet, and
// how to accept that.
func Decision(set *providers.Set, e routing.Explanation, waiting map[string]suggest.Suggestion) (text string, next suggest.Suggestion) {
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
		return text, suggest.Relogin(e.Provider, e.Connection)
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
		_, next := passedThrough(set, e, waiting)
		return "refused (host_denied): no connected provider covers this host, and --unmatched deny refuses such hosts", next
	case routing.OtherPort:
		return fmt.Sprintf("passed through: a connected provider covers this host on another port than %d", e.Port), none
	case routing.NoRoute:
		return "forwarded without a credential: this is plain " + e.Scheme + ", and no connected provider covers " + e.Host, none
	}
	return passedThrough(set, e, waiting)
}

// passedThrough explains why a host is passed through.
func passedThrough(set *providers.Set, e routing.Explanation, waiting map[string]suggest.Suggestion) (string, suggest.Suggestion) {
	var owners []string
	for _, d := range set.All() {
		if d.Claims(e.Host, e.Port) {
			if accept, ok := waiting[d.Name]; ok {
				return "passed through: the definition of " + d.Name + " was changed to cover " + e.Host + ", and its connection does not use that yet", accept
			}
			owners = append(owners, d.Name)
		}
	}
	switch len(owners) {
	case 0:
		name := nameFor(set, e.Host)
		return "passed through: no provider covers " + e.Host, suggest.Command("provider new %s > %[1]s.json", name)
	case 1:
		return "passed through: " + owners[0] + " covers " + e.Host + ", but is not connected", suggest.Login(owners[0], "")
	}
	return "passed through: none of the providers that cover " + e.Host + " is connected: " + strings.Join(owners, ", "), suggest.Login(owners[0], "")
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
