package flows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// ErrNoPKCE says that the metadata of an authorization server do not list PKCE, which MCP
// requires. The server may check it all the same.
var ErrNoPKCE = errors.New("its metadata do not list PKCE (code_challenge_methods_supported), so an intercepted sign-in code may be usable")

// Verifier returns a new code verifier (RFC 7636 section 4.1) for one authorization.
func Verifier() string { return oauth2.GenerateVerifier() }

// codeChallenge returns the S256 challenge. The method "plain" is never used (section 7.2).
func codeChallenge(verifier string) string { return oauth2.S256ChallengeFromVerifier(verifier) }

// usesPKCE reports whether the provider accepts a code challenge.
func (c *Config) usesPKCE() bool { return c.Definition.OAuth.PKCE != "off" }

// announcesPKCE reports whether the server says that it checks S256 challenges.
func (s *Server) announcesPKCE() bool { return slices.Contains(s.Challenges, "S256") }

// CheckPKCE returns nil if a login at the discovered server of a resource is protected by
// PKCE (RFC 7636), as its metadata say. Otherwise the error is [ErrNoPKCE] if the metadata
// do not say anything, and a login is possible with AllowNoPKCE. Logins that do not start
// from a resource are not checked.
func (c *Config) CheckPKCE() error {
	if c.Server == nil || c.Definition.OAuth.Discovery != "resource" || c.Server.announcesPKCE() {
		return nil
	}
	where := fmt.Sprintf("%s: the authorization server %s", c.Definition.Name, quoted(c.Server.Issuer))
	if methods := c.Server.Challenges; len(methods) > 0 {
		return fmt.Errorf("%s supports PKCE only with %s, not with S256: %w", where, printable(strings.Join(methods, ", "), 100), errUnsupported)
	}
	return fmt.Errorf("%s: %w", where, ErrNoPKCE)
}
