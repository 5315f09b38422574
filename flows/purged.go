package flows

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
)

// unknownClientStatuses are what authorization servers answer to a client that they do not
// have, before anyone signs in. RFC 6749 section 4.1.2.1 only says that they do not
// redirect. 403 is missing: firewalls send it to programs.
var unknownClientStatuses = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity}

// KnowsClient asks the authorization endpoint whether the server still has the client, for
// which servers have no other way. Many delete clients that registered themselves, and then
// show a page in the browser that nobody answers. The result is false only if the server
// refuses; without an answer it is true.
//
// The request is that of a login, with a state that no login has, so that nothing can come
// of it.
func (c *Config) KnowsClient(ctx context.Context, redirectURI string, scopes []string) bool {
	address, err := c.AuthorizationURL(rand.Text(), Verifier(), redirectURI, scopes)
	if err != nil {
		return true
	}
	e, err := c.endpoint("authorization_url", c.Definition.OAuth.AuthorizationURL, c.discovered().AuthorizationURL)
	if err != nil {
		return true
	}
	if e.url, err = url.Parse(address); err != nil {
		return true
	}
	r, err := send(ctx, request{client: e.client, method: http.MethodGet, url: e.url, header: http.Header{"Accept": {"text/html"}}, headOnly: true})
	if err != nil {
		return true
	}
	if next, err := url.Parse(r.header.Get("Location")); err == nil && r.status/100 == 3 {
		return !isUnknownClient(next.Query().Get("error"))
	}
	if asksForPassword(r) {
		return true
	}
	return !slices.Contains(unknownClientStatuses, r.status)
}

// asksForPassword reports whether a server has a user sign in with HTTP authentication.
func asksForPassword(r *reply) bool {
	return slices.ContainsFunc(parseChallenges(r.header.Values("WWW-Authenticate")), func(ch authChallenge) bool { return ch.scheme != "bearer" })
}

// UnknownClient reports whether a failed login can be the result of a client that the
// authorization server does not have, or not any more.
func UnknownClient(err error) bool {
	if e, ok := errors.AsType[*TokenError](err); ok {
		return isUnknownClient(e.Code)
	}
	e, ok := errors.AsType[*AuthorizationError](err)
	return ok && isUnknownClient(e.Code)
}

// isUnknownClient reports whether an error code of RFC 6749 or GitHub is about the client.
func isUnknownClient(code string) bool {
	return code == "invalid_client" || code == "unauthorized_client" || code == "incorrect_client_credentials"
}
