package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// importEnvironment finds API keys in the environment.
func importEnvironment(ctx context.Context, a *app) ([]importItem, error) {
	return importVariables(ctx, a, a.getenv)
}

// importVariables finds API keys in variables that providers' clients read.
// Placeholders of authsome's are none.
func importVariables(ctx context.Context, a *app, getenv func(string) string) ([]importItem, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	existing, err := existingConnections(ctx, credentials)
	if err != nil {
		return nil, err
	}
	var items []importItem
	for _, d := range set.All() {
		if d.AuthType != providers.AuthAPIKey || d.Unsupported() != "" {
			continue
		}
		for _, v := range d.Variables() {
			value := getenv(v.Name)
			if v.Field != providers.FieldAPIKey || value == "" || strings.Contains(value, providers.PlaceholderMark) {
				continue
			}
			c := auth.Connection{Provider: d.Name, Name: auth.DefaultName, AuthType: d.AuthType}
			credential, err := flows.APIKey(ctx, d, func(context.Context) (secret.String, error) { return secret.New(value), nil })
			c.APIKey = credential.APIKey
			i := connectionItem(credentials, c, existing)
			if i.shown = v.Name + " " + masked(value); err != nil {
				i.result, i.reason = importRefused, err.Error()
			}
			items = append(items, i)
			break // the first one that is set, as login takes it
		}
	}
	return items, nil
}

// masked is enough of a key to recognise it by, and not enough to guess it.
func masked(value string) string {
	if n := len(value); n < 20 {
		return fmt.Sprintf("(%s)", plural(n, "character"))
	}
	return fmt.Sprintf("%s… (%d characters)", value[:4], len(value))
}
