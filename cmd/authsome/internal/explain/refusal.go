package explain

import (
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
)

// Fix returns a function that says what can be done about a refusal of the proxy. The
// text is in the answer that the client gets, who may be an agent. Commands in it are
// for the profile, or for the default profile if profile is empty.
func Fix(profile string) intercept.Fixes {
	return func(r *intercept.Refusal) (text, who string) { return fix(r).ForAgent(profile) }
}

func fix(r *intercept.Refusal) suggest.Suggestion {
	switch r.Code {
	case intercept.CodeLoginRequired:
		return suggest.Login(r.Provider, r.Connection)
	case intercept.CodeRouteAmbiguous:
		return choose(r.Choices, r.HasDefault, r.Host)
	case intercept.CodeHTTPSRequired:
		return suggest.Advice("use https://%s", r.Host)
	case intercept.CodeTunnelRequired:
		return suggest.Advice("use a client that opens a tunnel with CONNECT for https")
	case intercept.CodePlaceholder:
		return suggest.Command("why %s", suggest.Words(r.URL))
	case intercept.CodeHostDenied:
		return suggest.ByPerson("connect its provider, or start authsome without --unmatched deny")
	case intercept.CodePrivateTarget:
		return suggest.ByPerson("start authsome with --allow-private")
	case intercept.CodeNotAllowed:
		return suggest.ByPerson("start the run again with: authsome run --isolate --allow-tcp %s", suggest.Words(r.Host))
	case intercept.CodeVaultUnavailable:
		return suggest.Command("doctor")
	case intercept.CodeUpstreamTLS:
		return suggest.ByPerson("start authsome with --upstream-ca FILE, if the service has a private authority")
	case intercept.CodeUpstreamTimeout:
		return suggest.ByPerson("start authsome with a longer --response-timeout")
	}
	return suggest.Suggestion{}
}
