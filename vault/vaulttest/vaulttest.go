// Package vaulttest has what tests and examples of other packages need to open a
// vault.
//
// It is for tests only, as net/http/httptest is.
package vaulttest

import "github.com/authsome/authsome/vault"

// MasterKey reads the master key of a home in the mode local_key. The first call for a
// home creates the key, as the first login does.
func MasterKey(home string) (*vault.MasterKey, error) {
	return (&vault.Keeper{
		Home:   home,
		Places: func() (vault.Places, error) { return vault.Places{Place: vault.Place{Mode: vault.ModeLocalKey}}, nil },
		Vaults: func() ([]string, error) { return nil, nil },
	}).Load()
}
