package auth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authsome/authsome/routing"
)

// Header is the header fields that carry a connection's credential, for programs
// that make their own requests. An empty connection means the one used where
// none is named. The caller sees to it that they go to the provider only.
func (a *Auth) Header(ctx context.Context, provider, connection string) (http.Header, error) {
	r := &http.Request{URL: &url.URL{}, Header: make(http.Header)}
	if err := a.Apply(ctx, r, provider, connection); err != nil {
		return nil, err
	}
	return r.Header, nil
}

// RoundTripper puts a connection's credential on requests to the provider's own
// hosts and paths, over https, and sends them with base, or
// [http.DefaultTransport] if that is nil. Requests to anywhere else, a redirect's
// target among them, go out as they are. Without a usable credential every
// request fails with the error that [Auth.Apply] has. A token that the service
// refuses is renewed, and a request whose body can be had again is sent again,
// once.
//
// A program that runs for long calls [Auth.Reload] when [vault.Vault.Generation]
// has changed.
func (a *Auth) RoundTripper(provider, connection string, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &roundTripper{a, target{provider, connection}, base}
}

type roundTripper struct {
	auth   *Auth
	target target
	base   http.RoundTripper
}

func (t *roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	out, mark, err := t.outgoing(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close() // as http.RoundTripper requires
		}
		return nil, err
	}
	response, err := t.base.RoundTrip(out)
	if err != nil || response.StatusCode != http.StatusUnauthorized || mark == 0 {
		return response, err
	}
	if !t.auth.Renew(r.Context(), t.target.provider, t.target.connection, mark) {
		return response, nil
	}
	again := r
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return response, nil
		}
		again = r.Clone(r.Context())
		if again.Body, err = r.GetBody(); err != nil {
			return response, nil
		}
	}
	out, _, err = t.outgoing(again)
	if err != nil {
		return response, nil
	}
	response.Body.Close()
	return t.base.RoundTrip(out)
}

// outgoing is the request with the credential, where that belongs on it.
func (t *roundTripper) outgoing(r *http.Request) (*http.Request, uint64, error) {
	e, err := t.auth.entry(r.Context(), t.target)
	if err != nil {
		return nil, 0, err
	}
	if !e.covers(r.Method, r.URL) || r.Host != "" && r.Host != r.URL.Host {
		return r, 0, nil
	}
	out := r.Clone(r.Context())
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	return out, e.mark, e.injection.Apply(out)
}

// covers reports whether the credential belongs on a request, as the proxy would
// decide: by host, port, method and path, in every way that a server may read the
// path.
func (e *entry) covers(method string, u *url.URL) bool {
	x, err := e.routes.Explain(cmp.Or(method, http.MethodGet), u)
	return err == nil && x.Scheme == "https" && x.Action == routing.Inject
}

// tokenTimeout bounds a reading of the vault, and a refresh, for
// [oauth2.TokenSource], whose method takes no context.
const tokenTimeout = recordTimeout + refreshTimeout

// TokenSource gives a connection's credential to libraries that take an
// [oauth2.TokenSource]. It works for OAuth connections, and for keys that the
// provider takes in the header Authorization; others get an error. Such a library
// chooses by itself where the token goes.
func (a *Auth) TokenSource(provider, connection string) oauth2.TokenSource {
	return &tokenSource{a, target{provider, connection}}
}

type tokenSource struct {
	auth   *Auth
	target target
}

func (t *tokenSource) Token() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	e, err := t.auth.entry(ctx, t.target)
	if err != nil {
		return nil, err
	}
	r := &http.Request{URL: &url.URL{}, Header: make(http.Header)}
	if err := e.injection.Apply(r); err != nil {
		return nil, err
	}
	kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok {
		return nil, errors.New(t.target.provider + ": its credential is not of a kind that an OAuth client can send")
	}
	return &oauth2.Token{AccessToken: token, TokenType: kind, Expiry: e.expires}, nil
}
