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
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

func newInspectCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect PROVIDER", Short: "Show a provider's definition and connections",
		Long: `Inspect shows to which hosts a provider's credential is sent and how, what login
asks for, which environment variables commands get, and the connections. It
shows no secret. With --json it prints the definition, as a file that register
accepts and that can be put into the home's providers directory, with its
connections.`,
		Example: `  authsome inspect openai
  authsome inspect openai --json > openai.json`,
		Args: exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error { return inspect(cmd.Context(), a, args[0]) },
	}
}

func inspect(ctx context.Context, a *app, name string) error {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	d, err := a.definition(name)
	if err != nil {
		return err
	}
	set, err := a.providers()
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
		rest, err := json.Marshal(viewInspection(d, set.Aliases(d.Name), views))
		if err != nil {
			return err
		}
		text, err := d.Inspection(rest)
		if err != nil {
			return err
		}
		return a.PrintJSON(json.RawMessage(text))
	}
	rows := describe(d, set.Aliases(d.Name))
	now := time.Now()
	for _, c := range views {
		rows = append(rows, []string{"connection", strings.TrimSpace(c.label() + ", " + c.state() + " " + c.expiry(now))})
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

// inspection is what inspect says in addition to the definition.
type inspection struct {
	Source      string           `json:"source"`
	Aliases     []string         `json:"aliases,omitempty"`
	Connections []connectionView `json:"connections"`
}

// viewInspection returns what inspect says in addition to the definition. One of schema 1
// has the members that the Python authsome printed.
func viewInspection(d *providers.Definition, aliases []string, connections []connectionView) any {
	own := inspection{d.Source, aliases, connections}
	if d.SchemaVersion == 1 {
		return own
	}
	return struct {
		inspection
		originalDefinition
	}{own, viewOriginal(d)}
}
