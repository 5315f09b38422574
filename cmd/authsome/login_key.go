package main

import (
	"context"
	"errors"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// apiKey obtains what the user has: a key, or several values.
func (l *loginRun) apiKey(ctx context.Context) (flows.Obtained, error) {
	var account flows.Account
	values, err := l.collect(ctx, l.wanted(), question{
		purpose: "Enter what " + l.d.DisplayName + " gave you. It goes into the vault on this machine.", keyURL: l.keyURL(), hosts: l.hosts(nil),
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

// refusedField is the field to show a refusal at.
func (l *loginRun) refusedField() string {
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

// verify asks the service, unless --no-verify says not to. That it cannot be
// asked is worth a line; the credential may be good.
func (l *loginRun) verify(ctx context.Context, c providers.Credential) (flows.Account, error) {
	if l.o.noVerify {
		return flows.Account{}, nil
	}
	account, err := flows.Verify(ctx, nil, l.d, c)
	if errors.Is(err, flows.ErrUnverified) && ctx.Err() == nil {
		l.a.infof("not checked whether %s takes it: %v", l.d.DisplayName, err)
		l.notes = []string{"It was not checked: " + err.Error() + "."}
		return flows.Account{}, nil
	}
	return account, err
}

func (l *loginRun) keyURL() string {
	if l.d.KeyURL != "" {
		return l.d.KeyURL
	}
	return l.d.Docs
}
