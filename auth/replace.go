package auth

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// replacement checks whether a login may store c. If it may replace a connection, check
// does the same with the address that the flow found, and marks the result, so that it
// is stored only if that connection was not changed in the meantime.
func (a *Auth) replacement(s *snapshot, d *providers.Definition, c Connection, l *LoginRequest) (check func(result *Connection) error, err error) {
	if l.Force || !s.has(c.Provider, c.Name) {
		return func(*Connection) error { return nil }, nil
	}
	old, err := s.find(c.Provider, c.Name)
	if err != nil { // its record cannot be read
		return nil, &ConnectedError{Provider: c.Provider, Connection: c.Name}
	}
	needsLogin := a.asOfNow(s, old).Err(a.now()) != nil
	if err := l.mayReplace(d, old, needsLogin, c.BaseURL); err != nil {
		return nil, err
	}
	return func(result *Connection) error {
		result.replaces = &old
		return l.mayReplace(d, old, needsLogin, result.BaseURL)
	}, nil
}

// unchanged reports whether a connection is still stored as it was read.
func (c *Connection) unchanged(s *snapshot) bool {
	if c == nil {
		return false
	}
	stored, err := s.find(c.Provider, c.Name)
	return err == nil && stored.sameTokens(*c) && stored.APIKey.Equal(c.APIKey)
}

// mayReplace returns nil if the login may replace a stored connection: with Force, or
// if the connection needs a login, or if other scopes are asked for than it has.
// Otherwise, and always if the login is for another address, the error is a
// [*ConnectedError]. An empty address is not known yet.
func (l *LoginRequest) mayReplace(d *providers.Definition, old Connection, needsLogin bool, address string) error {
	refused := &ConnectedError{Provider: old.Provider, Connection: old.Name}
	stored := cmp.Or(old.BaseURL, d.BaseURL)
	switch {
	case l.Force:
		return nil
	case address != "" && !SameAddress(address, stored):
		refused.BaseURL = stored
		return refused
	case needsLogin, l.Scopes != nil && !sameScopes(l.Scopes, old.Scopes):
		return nil
	}
	return refused
}

// sameScopes reports whether two lists have the same scopes, in any order.
func sameScopes(a, b []string) bool {
	set := func(scopes []string) []string { return slices.Compact(slices.Sorted(slices.Values(scopes))) }
	return slices.Equal(set(a), set(b))
}

// SameAddress reports whether two base URLs are the same address. One that schema 1
// accepts may have no scheme.
func SameAddress(a, b string) bool {
	return canonicalAddress(a) == canonicalAddress(b)
}

func canonicalAddress(address string) string {
	address = strings.TrimSpace(address)
	if address != "" && !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(u.Host), ":443"), ".")
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u.String()
}
