package signin

import (
	"context"
	"errors"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// apiKey obtains a credential that the user has: a key, or several values.
func (l *Login) apiKey(ctx context.Context) (flows.Obtained, error) {
	var account flows.Account
	values, err := l.collect(ctx, l.fields(), question{
		purpose: "Enter your " + l.d.DisplayName + " credential. It is stored in the vault on this machine.",
		create:  "Create a key", keyURL: l.keyURL(), hosts: l.hosts(nil),
		accept: func(ctx context.Context, values providers.Values) (err error) {
			account, err = l.verify(ctx, providers.Credential{Values: values})
			if errors.Is(err, flows.ErrRefused) {
				return &loopback.FieldError{Field: l.refusedField(), Err: err}
			}
			return err
		},
	})
	if err != nil {
		return flows.Obtained{}, err
	}
	return flows.Obtained{Values: values, Token: flows.Token{Account: account}}, nil
}

// refusedField is the field at which the service's refusal is shown: the key, else the
// first secret.
func (l *Login) refusedField() string {
	if l.d.Param(valueKey) != nil {
		return valueKey
	}
	for _, p := range l.d.Params {
		if p.Secret && p.From == "" {
			return p.Name
		}
	}
	return ""
}

// verify checks a credential with the service, unless --no-verify is set. If the service
// cannot be reached, the credential is kept, and a message says so.
func (l *Login) verify(ctx context.Context, c providers.Credential) (flows.Account, error) {
	if l.o.NoVerify {
		return flows.Account{}, nil
	}
	account, err := flows.Verify(ctx, nil, l.d, c)
	if errors.Is(err, flows.ErrUnverified) && ctx.Err() == nil {
		l.console.Infof("could not test the credential, saving it anyway: %v", err)
		l.notes = []string{"It was saved but not tested: " + err.Error() + "."}
		return flows.Account{}, nil
	}
	return account, err
}

// keyURL is the page at the provider where keys and clients are created, or its
// documentation.
func (l *Login) keyURL() string {
	if l.d.KeyURL != "" {
		return l.d.KeyURL
	}
	return l.d.Docs
}
