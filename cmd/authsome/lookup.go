package main

import (
	"context"
	"slices"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
)

// definition returns a provider's definition, and warns if a part of the user's file for it
// has no effect.
func (a *app) definition(provider string) (*providers.Definition, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	d, err := set.Lookup(provider)
	if err == nil {
		a.warnDefinitions(set.ProblemsOf(provider))
	}
	return d, err
}

// warnDefinitions reports files in the providers directory that have no effect, or only in
// part. Commands that concern other providers do not report them.
func (a *app) warnDefinitions(problems []providers.Problem) {
	for _, p := range problems {
		a.Warnf("%v", p)
	}
}

// warnAllDefinitions reports the files of all providers.
func (a *app) warnAllDefinitions() error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	a.warnDefinitions(slices.Concat(set.Problems, set.Disabled))
	return nil
}

// checkKnown refuses the name of a provider that has neither a definition nor a stored
// connection: connections can outlive their definition.
func checkKnown(ctx context.Context, a *app, provider string) error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	_, unknown := set.Lookup(provider)
	if unknown == nil {
		return nil
	}
	own, err := connectionsOf(ctx, a, provider)
	if err != nil {
		return err
	}
	if len(own) == 0 {
		return unknown
	}
	return nil
}

// connectionsOf returns the connections of one provider.
func connectionsOf(ctx context.Context, a *app, provider string) ([]auth.Connection, error) {
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	all, err := credentials.Connections(ctx)
	if err != nil {
		return nil, err
	}
	var own []auth.Connection
	for _, c := range all {
		if c.Provider == provider {
			own = append(own, c)
		}
	}
	return own, nil
}
