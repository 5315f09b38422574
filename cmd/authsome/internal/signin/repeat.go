package signin

import (
	"errors"
	"strings"
	"unicode"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// repeat is the command that this login was started with, for a hint. If a flag had an
// invalid value, its value is left to the user.
func (l *Login) repeat(invalid string) suggest.Suggestion {
	s := l.command(invalid)
	switch {
	case l.o.KeyStdin:
		return s.With("--key-stdin < FILE")
	case l.o.SecretsStdin:
		return s.With("--secrets-stdin < FILE")
	}
	return s
}

// repeatAfter is [Login.repeat] after an error of the server. If that may be about the OAuth
// client, the login asks for the client again, or if nobody can be asked, reads its secret.
func (l *Login) repeatAfter(err error) suggest.Suggestion {
	next := l.repeat("")
	if e, ok := errors.AsType[*flows.RegistrationError](err); ok {
		return l.afterRegistration(e)
	}
	if wrongRedirect(err) && l.o.RedirectURL == "" {
		return next.With("--redirect-url URL")
	}
	if wrongRedirect(err) {
		return l.repeat("--redirect-url")
	}
	if !flows.UnknownClient(err) {
		return next
	}
	if _, ok := errors.AsType[*flows.AuthorizationError](err); ok { // nobody checked the secret, so the ID is wrong
		return l.withOtherClient()
	}
	if !l.o.Reset {
		next = next.With("--reset")
	}
	if !l.asks() && !l.o.KeyStdin && !l.o.SecretsStdin && l.d.OAuth.ClientSecret == secretOptional && l.isGiven(valueClientID) {
		next = next.With("--key-stdin < FILE")
	}
	return next
}

// wrongRedirect reports whether a server refused the redirect URL, by the code of RFC 7591
// or that of GitHub and Google.
func wrongRedirect(err error) bool {
	code := ""
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		code = e.Code
	}
	if e, ok := errors.AsType[*flows.AuthorizationError](err); ok {
		code = e.Code
	}
	return code == "invalid_redirect_uri" || code == "redirect_uri_mismatch"
}

// afterRegistration is the command after a registration that failed: with a redirect URL
// that most servers accept if the server refused this one, and otherwise with a client that
// the user registers.
func (l *Login) afterRegistration(err *flows.RegistrationError) suggest.Suggestion {
	refused, ok := errors.AsType[*flows.TokenError](err)
	switch {
	case ok && (refused.Kind == flows.Transient || refused.Kind == flows.Ambiguous):
		return l.repeat("")
	case wrongRedirect(err) && l.o.RedirectURL == "": // mostly of servers that accept only localhost
		return l.repeat("").With("--redirect-url http://localhost:7999/callback")
	case wrongRedirect(err):
		return l.repeat("--redirect-url")
	case l.d.HasFlow(providers.FlowPKCE):
		l.o.Flow = providers.FlowPKCE
		return l.repeat("")
	}
	return l.repeat("").With("--client-id ID")
}

// command is [Login.repeat] without the flags for standard input.
func (l *Login) command(invalid string) suggest.Suggestion {
	s := suggest.Login(l.d.Name, l.o.Connection)
	add := func(flag, separator, value, placeholder string) {
		if flag == invalid || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			value = placeholder
		}
		s = s.With(flag + separator + suggest.Words(value))
	}
	if l.o.Flow != "" {
		s = s.With("--flow " + l.o.Flow)
	}
	if len(l.o.Scopes) > 0 {
		add("--scopes", " ", strings.Join(l.o.Scopes, ","), "A,B")
	}
	if l.o.BaseURL != "" {
		add("--base-url", " ", l.o.BaseURL, "URL")
	}
	for _, p := range l.o.Params {
		name, value, _ := strings.Cut(p, "=")
		add("--param "+name, "=", value, "VALUE")
	}
	if l.o.ClientID != "" {
		add("--client-id", " ", l.o.ClientID, "ID")
	}
	if l.o.RedirectURL != "" {
		add("--redirect-url", " ", l.o.RedirectURL, "URL")
	}
	for _, f := range []struct {
		set  bool
		flag string
	}{{l.o.Reset, "--reset"}, {l.o.AllowNoPKCE, "--allow-no-pkce"}, {l.o.Force, "--force"}, {l.o.NoBrowser, "--no-browser"}, {l.o.NoVerify, "--no-verify"}} {
		if f.set {
			s = s.With(f.flag)
		}
	}
	return s
}
