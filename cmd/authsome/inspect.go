package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/routing"
)

func newInspectCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect PROVIDER", Short: "Show a provider's definition and connections",
		Long: `Inspect shows to which hosts a provider's credential is sent and how, what login
asks for, which environment variables commands get, and the connections. It shows
no secret. With --json, "definition" is a file that register accepts.`,
		Example: `  authsome inspect openai
  authsome inspect openai --json`,
		Args: exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error { return inspect(cmd.Context(), a, args[0]) },
	}
}

func inspect(ctx context.Context, a *app, name string) error {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	set, err := a.providers()
	if err != nil {
		return err
	}
	d, err := set.Lookup(name)
	if err != nil {
		return err
	}
	connections, err := connectionsOf(ctx, a, name)
	if err != nil {
		return err
	}
	t, err := a.routes(ctx)
	if err != nil {
		return err
	}
	views := []connectionView{}
	for _, c := range connections {
		v := a.viewConnection(c)
		v.Shared = a.viewShared(t, c)
		views = append(views, v)
	}
	if a.JSON {
		definition, err := d.Marshal()
		if err != nil {
			return err
		}
		return a.PrintJSON(struct {
			Definition  json.RawMessage  `json:"definition"`
			Source      string           `json:"source"`
			Aliases     []string         `json:"aliases,omitempty"`
			Connections []connectionView `json:"connections"`
			originalDefinition
		}{definition, d.Source, set.Aliases(d.Name), views, viewOriginal(d)})
	}
	rows := describe(d, set.Aliases(d.Name))
	now := time.Now()
	for _, c := range views {
		rows = append(rows, []string{"connection", strings.TrimSpace(c.label() + ", " + c.Status + " " + c.expiry(now))})
		if c.Waiting != nil {
			rows = append(rows, []string{"", "does not use this definition, which was changed, until you accept it: " + c.Waiting.Fix})
		}
	}
	for _, s := range explain.Contests(t) {
		i := slices.IndexFunc(s.Among, func(c routing.Choice) bool { return c.Provider == name })
		if i >= 0 && s.Notable() {
			rows = append(rows, []string{"shared", a.contestLine(s, s.Among[i])})
		}
	}
	if len(views) == 0 {
		rows = append(rows, []string{"connection", "none: " + a.Suggest(suggest.Login(d.Name, ""))})
	}
	a.Facts(rows)
	return nil
}
