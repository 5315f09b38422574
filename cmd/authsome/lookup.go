package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

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

// warnListed reports the files of the providers that are listed, and those whose name has
// the text that was asked for: their providers may be missing from the list.
func (a *app) warnListed(o *listOptions, listed []providerView) error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	all := slices.Concat(set.Problems, set.Disabled)
	a.warnDefinitions(slices.DeleteFunc(all, func(p providers.Problem) bool {
		name := strings.TrimSuffix(filepath.Base(p.Path), filepath.Ext(p.Path))
		concerned := func(v providerView) bool { return v.Name == name }
		return !strings.Contains(strings.ToLower(name), strings.ToLower(o.text)) && !slices.ContainsFunc(listed, concerned)
	}))
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
