package flows

import "golang.org/x/oauth2"

// Verifier makes a code verifier (RFC 7636 section 4.1) for one authorization.
func Verifier() string { return oauth2.GenerateVerifier() }

// challenge is the S256 one; "plain" is never sent (section 7.2).
func challenge(verifier string) string { return oauth2.S256ChallengeFromVerifier(verifier) }

// pkce reports whether the provider takes a challenge.
func (c *Config) pkce() bool { return c.Definition.OAuth.PKCE != "off" }
