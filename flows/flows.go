// Package flows has the protocols that obtain a credential, one file each:
//
//	apikey.go   a key that the user has: from the environment, a pipe or a prompt
//
// A flow is given a definition and ways to ask, and returns a credential. It
// does not know the vault, keeps nothing, and writes to no terminal: what is
// asked for and how it looks is the caller's. Its invariant: a credential that a
// flow returned was checked against the definition, and no error contains a
// value that was entered.
package flows
