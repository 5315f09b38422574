package main

import (
	"context"

	"github.com/authsome/authsome/auth"
)

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
