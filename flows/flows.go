// Package flows has the protocols that obtain a credential, one file each:
//
//	authorize.go callback.go pkce.go  the authorization code, with PKCE (RFC 6749, 7636, 9207)
//	device.go             the device grant (RFC 8628)
//	clientcredentials.go  a token of the client's own (RFC 6749 section 4.4)
//	jwt.go                a token for a signed assertion, and clients that sign (RFC 7523)
//	token.go answer.go    the token endpoint's client, and what it answers
//	discovery.go          endpoints from an issuer (RFC 8414, OpenID Connect)
//	mcp.go challenge.go   endpoints from a resource (RFC 9728), as the MCP specification has it
//	register.go           a client that is made on the way, and deleted again (RFC 7591, 7592)
//	revoke.go             tokens taken back (RFC 7009)
//
// [Config] is one client at one provider; the flows are its methods. They read
// nothing from a definition's name: what is odd about a provider is data.
//
// A flow is given a definition, values and ways to ask, and returns a credential.
// It does not know the vault, keeps nothing, writes to no terminal, and never
// sends a code or a refresh token a second time: what happens after an error is
// the caller's, who is told what kind it is ([TokenError]). Its invariant: a
// credential that a flow returned was checked against the definition, and no
// error contains a value that was entered, sent or received as a secret.
package flows
