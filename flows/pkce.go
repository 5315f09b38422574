package flows

import "golang.org/x/oauth2"

// Verifier returns a new code verifier (RFC 7636 section 4.1) for one authorization.
func Verifier() string { return oauth2.GenerateVerifier() }

// codeChallenge returns the S256 challenge. The method "plain" is never used (section 7.2).
func codeChallenge(verifier string) string { return oauth2.S256ChallengeFromVerifier(verifier) }

// usesPKCE reports whether the provider accepts a code challenge.
func (c *Config) usesPKCE() bool { return c.Definition.OAuth.PKCE != "off" }
