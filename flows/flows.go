// Package flows implements the protocols that obtain credentials:
//
//	authorize.go callback.go pkce.go  the authorization code with PKCE (RFC 6749, 7636, 9207)
//	device.go                         the device grant (RFC 8628)
//	clientcredentials.go              a token for the client itself (RFC 6749 section 4.4)
//	jwt.go                            signed assertions for tokens and clients (RFC 7523)
//	token.go answer.go member.go      token requests and their answers
//	discovery.go                      endpoints from an issuer (RFC 8414, OpenID Connect)
//	mcp.go challenge.go               endpoints from a resource (RFC 9728, MCP)
//	register.go                       dynamic client registration and its reversal (RFC 7591, 7592)
//	revoke.go                         token revocation (RFC 7009)
//	verify.go                         a request that shows whether a credential is valid
//
// [Config] is one client at one provider; the flows are its methods. The peculiarities
// of a provider are data in its definition: no code depends on a provider's name.
//
// A flow gets a definition and values, and returns a credential. It imports neither the
// vault nor the browser's side of a login, stores nothing and prints nothing. It never
// sends a code or a refresh token twice: after an error the caller decides what to do, by
// the error's kind ([TokenError]).
//
// Two invariants hold. A credential that a flow returns was checked against the
// definition. And no error contains a secret that was entered, sent or received.
package flows
