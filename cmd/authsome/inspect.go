package main

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
)

func newInspectCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect PROVIDER", Short: "Show a provider's definition and connections",
		Long: `Inspect shows where a provider's credential goes, and its connections. With
--json, "definition" is a file that register accepts. No secret is shown.`,
		Example: `  authsome inspect openai
  authsome inspect openai --json`,
		Args: exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error { return inspect(cmd.Context(), a, args[0]) },
	}
}

func inspect(ctx context.Context, a *app, name string) error {
	ctx, cancel := bounded(ctx)
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
	definition, err := d.Marshal()
	if err != nil {
		return err
	}
	views := []connectionView{}
	for _, c := range connections {
		views = append(views, viewConnection(c))
	}
	if a.json {
		return a.printJSON(struct {
			Definition  json.RawMessage  `json:"definition"`
			Source      string           `json:"source"`
			Connections []connectionView `json:"connections"`
		}{definition, d.Source, views})
	}
	rows := [][]string{
		{"name", d.Name}, {"service", d.DisplayName}, {"type", d.AuthType() + ", by " + strings.Join(d.Flows, " or ")}, {"source", d.Source},
		{"hosts", strings.Join(d.Hosts, ", ")},
	}
	for _, v := range d.Variables() {
		rows = append(rows, []string{"variable", v.Name + "=" + cmp.Or(v.Placeholder, v.Value) + " for the agent"})
	}
	for _, e := range d.Endpoints() {
		rows = append(rows, []string{"sign-in", e})
	}
	if d.Docs != "" {
		rows = append(rows, []string{"docs", d.Docs})
	}
	now := time.Now()
	for _, c := range views {
		rows = append(rows, []string{"connection", strings.TrimSpace(c.label() + ", " + c.Status + " " + c.expiry(now))})
	}
	table(a.stdout, rows)
	return nil
}

// connectionsOf are the connections of one provider.
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
