package auth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authsome/authsome/providers"
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
// request fails with a [*LoginRequiredError].
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
	out, err := t.outgoing(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close() // as http.RoundTripper requires
		}
		return nil, err
	}
	return t.base.RoundTrip(out)
}

func (t *roundTripper) outgoing(r *http.Request) (*http.Request, error) {
	e, err := t.auth.entry(r.Context(), t.target)
	if err != nil {
		return nil, err
	}
	if !e.covers(r.Method, r.URL) || r.Host != "" && r.Host != r.URL.Host {
		return r, nil
	}
	out := r.Clone(r.Context())
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	return out, e.injection.Apply(out)
}

// covers reports whether the credential belongs on a request to u: the same
// provider's host and port, and a method and path that are meant in every way
// that a server may read them.
func (e *entry) covers(method string, u *url.URL) bool {
	host, err := providers.NormalizeHost(u.Hostname())
	if err != nil || u.Scheme != "https" || !e.definition.Allows(cmp.Or(method, http.MethodGet)) {
		return false
	}
	port := 443
	if s := u.Port(); s != "" {
		if port, err = strconv.Atoi(s); err != nil {
			return false
		}
	}
	for _, p := range readings(u) {
		meant := func(pattern providers.Pattern) bool {
			_, under := pattern.MatchPath(p)
			return under && pattern.MatchHost(host) && pattern.Port() == port
		}
		if e.definition.OAuthEndpoint(host, p) || e.definition.Excludes(p) || !slices.ContainsFunc(e.patterns, meant) {
			return false
		}
	}
	return true
}

// readings are the paths that servers may take u's for: as it is sent, decoded,
// decoded twice, with backslashes for slashes, and without dot segments.
func readings(u *url.URL) []string {
	decoded := cmp.Or(u.Path, "/")
	twice, err := url.PathUnescape(decoded)
	if err != nil {
		twice = decoded
	}
	slashed := strings.ReplaceAll(twice, `\`, "/")
	return []string{cmp.Or(u.EscapedPath(), "/"), decoded, path.Clean(decoded), path.Clean(twice), path.Clean(slashed)}
}

// tokenTimeout bounds a reading of the vault for [oauth2.TokenSource], whose
// method takes no context.
const tokenTimeout = 10 * time.Second

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
