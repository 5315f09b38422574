package main

import (
	"context"
	"errors"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/cmd/authsome/internal/takeover"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/providers"
)

// foundKey is a variable that contains a provider's key, as --json shows it.
type foundKey struct {
	Provider string `json:"provider"`
	Variable string `json:"variable"`
	Command  string `json:"command"`
}

// suggestLogins is login without a provider: it lists the keys that it finds in the
// environment, and on a terminal offers to store them.
func suggestLogins(ctx context.Context, a *app) error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	found := a.findKeys(set)
	if a.JSON {
		return a.PrintJSON(found)
	}
	if len(found) == 0 {
		return exit.WithCommand(exit.Usagef("login needs a PROVIDER; no environment variable contains the key of a known provider"), "list")
	}
	a.Infof("found keys in your environment; store all: %s", a.Suggest(suggest.Command("import --env")))
	var rows [][]string
	for _, k := range found {
		rows = append(rows, []string{k.Variable, k.Command})
	}
	a.Table(rows)
	if a.Terminal() == nil {
		return nil
	}
	switch err := a.Confirm(ctx, "Store them all now?", ""); {
	case errors.Is(err, terminal.ErrDeclined):
		return nil
	case err != nil:
		return err
	}
	return a.importer().Run(ctx, takeover.Options{Env: true, Yes: true})
}

// findKeys finds the providers that have a key in the environment.
func (a *app) findKeys(set *providers.Set) []foundKey {
	found := []foundKey{}
	for _, d := range set.All() {
		if !d.HasFlow(providers.FlowAPIKey) {
			continue
		}
		for _, v := range d.Variables() {
			value := a.Getenv(v.Name)
			if !v.Secret || v.Field == "" || value == "" || providers.HasPlaceholder(value) || d.CheckValue(v.Field, value) != nil {
				continue
			}
			found = append(found, foundKey{d.Name, v.Name, a.Suggest(suggest.Login(d.Name, ""))})
			break
		}
	}
	return found
}
