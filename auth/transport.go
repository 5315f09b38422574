package auth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/authsome/authsome/routing"
)

// Header returns the header fields that carry a connection's credential, for programs
// that make their own requests. An empty connection means the default one. The caller
// must send them to the provider only. The errors are those of [Auth.ApplyMarked].
func (a *Auth) Header(ctx context.Context, provider, connection string) (http.Header, error) {
	e, err := a.entry(ctx, target{provider, connection})
	if err != nil {
		return nil, err
	}
	return e.header()
}

func (e *entry) header() (http.Header, error) {
	r := &http.Request{URL: &url.URL{}, Header: make(http.Header)}
	if err := e.injection.Apply(r); err != nil {
		return nil, err
	}
	return r.Header, nil
}

// RoundTripper returns a transport that puts a connection's credential on https requests
// to the provider's hosts and paths, and sends them with base, or
// [http.DefaultTransport] if base is nil. Requests to any other place, including
// redirects, are sent unchanged. Without a usable credential every request fails with
// the error of [Auth.ApplyMarked]. If the service refuses a token, the token is renewed
// and the request is sent once more, unless its body cannot be read again.
//
// A program that runs for a long time should call [Auth.Reload] when
// [vault.Vault.Generation] changes.
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
	retry := r
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return response, nil
		}
		retry = r.Clone(r.Context())
		if retry.Body, err = r.GetBody(); err != nil {
			return response, nil
		}
	}
	out, _, err = t.outgoing(retry)
	if err != nil {
		return response, nil
	}
	response.Body.Close()
	return t.base.RoundTrip(out)
}

// outgoing returns a copy of the request with the credential and the credential's mark,
// or r itself if the credential does not belong on it.
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

// covers reports whether the credential belongs on a request. It decides like the proxy:
// by host, port, method and every way in which a server may read the path.
func (e *entry) covers(method string, u *url.URL) bool {
	x, err := e.routes.Explain(cmp.Or(method, http.MethodGet), u)
	return err == nil && x.Scheme == "https" && x.Action == routing.Inject
}

// tokenTimeout bounds a reading of the vault plus a refresh, for an [oauth2.TokenSource],
// whose method takes no context.
const tokenTimeout = recordTimeout + refreshTimeout

// TokenSource gives a connection's credential to libraries that take an
// [oauth2.TokenSource]. It works for OAuth connections and for keys that are sent in the
// Authorization header, and fails for others. The library decides where it sends the
// token.
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
	h, err := e.header()
	if err != nil {
		return nil, err
	}
	kind, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if !ok {
		return nil, fmt.Errorf("%s: an OAuth client cannot send this kind of credential", t.target.provider)
	}
	return &oauth2.Token{AccessToken: token, TokenType: kind, Expiry: e.expires}, nil
}
