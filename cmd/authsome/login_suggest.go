package main

import (
	"context"
	"errors"

	"github.com/authsome/authsome/providers"
)

// suggestion is a provider whose key is in a variable.
type suggestion struct {
	Provider string `json:"provider"`
	Variable string `json:"variable"`
	Command  string `json:"command"`
}

// suggestLogins is login without a provider: what the environment has keys for,
// and on a terminal the offer to store them.
func suggestLogins(ctx context.Context, a *app) error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	found := []suggestion{}
	for _, d := range set.All() {
		if !d.HasFlow(providers.FlowAPIKey) {
			continue
		}
		for _, v := range d.Variables() {
			value := a.getenv(v.Name)
			if !v.Secret || v.Field == "" || value == "" || providers.HasPlaceholder(value) || d.CheckValue(v.Field, value) != nil {
				continue
			}
			found = append(found, suggestion{d.Name, v.Name, a.here("authsome login " + d.Name)})
			break
		}
	}
	if a.json {
		return a.printJSON(found)
	}
	if len(found) == 0 {
		return withHint(usageErrorf("login takes a PROVIDER: no variable holds a key of one that is known"), "authsome list")
	}
	a.infof("these variables hold keys; the command beside each stores it in the vault, authsome import --env stores them all")
	var rows [][]string
	for _, s := range found {
		rows = append(rows, []string{s.Variable, s.Command})
	}
	table(a.stdout, rows)
	if _, ok := a.terminal(); !ok {
		return nil
	}
	switch err := a.confirm(ctx, "store them all now?", ""); {
	case errors.Is(err, errDeclined):
		return nil
	case err != nil:
		return err
	}
	return runImport(ctx, a, &importOptions{env: true, yes: true})
}
