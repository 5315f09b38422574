package takeover

import (
	"errors"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/vault"
)

// destination is a profile of this home to import into. It is created when the first
// item is stored.
type destination struct {
	p    *pythonImport
	name string
}

// existing returns the profile's connections, or nil if it has no vault.
func (t *destination) existing() (*auth.Auth, error) {
	profile, err := t.p.Opener.Named(t.name)
	if errors.Is(err, home.ErrNoProfile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, _, err := vault.Describe(profile.Dir); err != nil {
		return nil, nil
	}
	return t.open()
}

// open creates the profile if it does not exist.
func (t *destination) open() (*auth.Auth, error) {
	profile, err := t.p.Opener.Ensure(t.name)
	if err != nil {
		return nil, err
	}
	credentials, err := profile.Auth()
	if err != nil {
		return nil, err
	}
	credentials.UseProviders(t.p.set)
	return credentials, nil
}
