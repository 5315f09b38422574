package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/providers"
)

func newInspectCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect PROVIDER", Short: "Show a provider's definition and connections",
		Long: `Inspect shows where a provider's credential goes and how, what login asks for,
what a command finds in its environment, and the connections. With --json,
"definition" is a file that register accepts. No secret is shown.`,
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
	views := []connectionView{}
	for _, c := range connections {
		views = append(views, a.viewConnection(c))
	}
	if a.JSON {
		definition, err := d.Marshal()
		if err != nil {
			return err
		}
		return a.PrintJSON(struct {
			Definition  json.RawMessage  `json:"definition"`
			Source      string           `json:"source"`
			Connections []connectionView `json:"connections"`
		}{definition, d.Source, views})
	}
	rows := describe(d)
	now := time.Now()
	for _, c := range views {
		rows = append(rows, []string{"connection", strings.TrimSpace(c.label() + ", " + c.Status + " " + c.expiry(now))})
	}
	if len(views) == 0 {
		rows = append(rows, []string{"connection", "none: " + a.Suggest(suggest.Login(d.Name, ""))})
	}
	a.Facts(rows)
	return nil
}

// describe is a definition in words, one line for each fact.
func describe(d *providers.Definition) [][]string {
	var rows [][]string
	add := func(name string, values ...string) {
		for i, v := range values {
			if i > 0 {
				name = ""
			}
			if v != "" {
				rows = append(rows, []string{name, v})
			}
		}
	}
	title := d.Name
	if d.DisplayName != d.Name {
		title += ", " + d.DisplayName
	}
	add("name", title)
	add("category", d.Category)
	add("source", d.Source)
	add("type", d.AuthType()+", by "+strings.Join(d.Flows, " or "))
	add("get key", d.KeyURL)
	add("asks for", asked(d)...)
	add("hosts", strings.Join(d.Hosts, ", "))
	add("base URL", d.BaseURL)
	add("paths", strings.Join(d.Paths, ", "))
	add("not under", strings.Join(d.Exclude, ", "))
	add("methods", strings.Join(d.Methods, ", "))
	add("sends", injections(d)...)
	add("strips", strings.Join(d.Remove, ", "))
	add("sign-in", d.Endpoints()...)
	if d.OAuth != nil {
		add("scopes", strings.Join(d.OAuth.Scopes, " "))
	}
	var variables []string
	for _, v := range d.Variables() {
		variables = append(variables, v.Name+"="+cmp.Or(v.Placeholder, v.Value))
	}
	add("variables", variables...)
	if v := d.Verify; v != nil {
		add("checked by", cmp.Or(v.Method, "GET")+" "+v.URL)
	}
	add("docs", d.Docs)
	if m := d.Metadata; m != nil {
		add("note", m.Note)
		switch {
		case m.Unverified:
			add("verified", "not yet; "+m.Source)
		case m.Checked != "":
			add("verified", m.Checked+"; "+m.Source)
		}
	}
	for _, w := range d.Warnings() {
		if w.Field != "metadata.unverified" {
			add("warning", w.Error())
		}
	}
	return rows
}

// asked is what login asks for.
func asked(d *providers.Definition) []string {
	var all []string
	for _, p := range d.Params {
		if p.From != "" {
			continue
		}
		text := p.Name
		if p.Label != "" && p.Label != p.Name {
			text += ", " + p.Label
		}
		var notes []string
		if p.Secret {
			notes = append(notes, "secret")
		}
		if p.Optional {
			notes = append(notes, "optional")
		}
		if p.Default != "" {
			notes = append(notes, "default "+p.Default)
		}
		if len(notes) > 0 {
			text += " (" + strings.Join(notes, ", ") + ")"
		}
		if p.Hint != "" {
			text += ": " + p.Hint
		}
		all = append(all, text)
	}
	return all
}

// injections say where the credential goes on a request, as templates.
func injections(d *providers.Definition) []string {
	if len(d.Inject) == 0 {
		if d.AuthType() == providers.AuthAPIKey {
			return []string{"Authorization: Bearer {api_key}"}
		}
		return []string{"Authorization: Bearer {access_token}"}
	}
	var all []string
	for _, in := range d.Inject {
		text := ""
		switch in.In {
		case providers.InHeader:
			text = in.Name + ": " + in.Value
		case providers.InQuery:
			text = "?" + in.Name + "=" + in.Value
		case providers.InBasic:
			text = fmt.Sprintf("Authorization: Basic %s:%s", in.Username, in.Password)
		case providers.InPath:
			text = in.Prefix + in.Value + "/…"
		case providers.InSigV4:
			text = "an AWS signature with " + in.AccessKey
		}
		if in.IfAbsent {
			text += ", unless the client sends one"
		}
		all = append(all, text)
	}
	return all
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
