package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/secret"
)

type getOptions struct {
	connection string
	field      string
	showSecret bool
}

func newGetCmd(a *app) *cobra.Command {
	o := &getOptions{}
	cmd := &cobra.Command{
		Use: "get PROVIDER", Short: "Show what is stored of a connection, without its secrets",
		Long: `Get shows what is stored of a connection. Secrets are shown as ***REDACTED***,
and --field refuses them. With --show-secret they are shown in plain text; that
is recorded in the audit log and refused behind the proxy.`,
		Example: `  authsome get openai
  authsome get openai --field status
  authsome get openai --field api_key --show-secret`,
		Args: exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error { return get(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.connection, "connection", "", "show the connection `NAME`")
	f.StringVar(&o.field, "field", "", "show only the field `NAME`")
	f.BoolVar(&o.showSecret, "show-secret", false, "show secrets in plain text")
	return cmd
}

// fieldNames are the fields that a connection can have.
var fieldNames = []string{
	"provider", "connection_name", "auth_type", "status", "default", "problem", "fix", "who", "base_url", "host_url", "scopes", "api_key",
	"access_token", "refresh_token", "token_type", "expires_at", "refresh_expires_at", "obtained_at", "issuer", "client_id", "account", "profile",
	"schema_version", "metadata",
}

// field is one line of a connection's data.
type field struct {
	name  string
	value any
}

func get(ctx context.Context, a *app, provider string, o *getOptions) error {
	if err := checkName("--connection", o.connection); err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	if err := checkKnown(ctx, a, provider); err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	c, err := credentials.Connection(ctx, provider, o.connection)
	if err != nil {
		return err
	}
	if o.showSecret {
		// Recorded first, so that the audit log has every secret that was shown.
		if err := a.recordNow(ctx, audit.Event{Event: audit.Get, Provider: provider, Connection: c.Name, Outcome: "ok"}); err != nil {
			return err
		}
	}
	fields := a.connectionFields(c, o.showSecret)
	all := a.originalFields(c, credentials.Profile, o.showSecret)
	for _, f := range fields {
		all[f.name] = f.value
	}
	if o.field != "" {
		// Without --json, a field that has no value is an error.
		switch value, ok := all[o.field]; {
		case !ok || value == nil && !a.JSON:
		case value == secret.Redacted:
			// A script would use the redaction as the value.
			return exit.WithFlag(exit.Usagef("%s is secret: with --show-secret it is printed", o.field), "--show-secret")
		default:
			return a.printField(field{o.field, value})
		}
		next := suggest.Command("get %s", provider)
		if o.connection != "" {
			next = next.With("--connection " + o.connection)
		}
		return exit.WithHint(exit.Usagef("no field %q in this connection", o.field), next)
	}
	if a.JSON {
		return a.PrintJSON(all)
	}
	var rows [][]string
	for _, f := range fields {
		value := show.Text(f.value)
		if at, ok := f.value.(time.Time); ok {
			value += " (" + show.Relative(at, time.Now()) + ")"
		}
		rows = append(rows, []string{f.name, value})
	}
	a.Facts(rows)
	return nil
}

func (a *app) printField(f field) error {
	if a.JSON {
		return a.PrintJSON(map[string]any{f.name: f.value})
	}
	if object, ok := f.value.(map[string]any); ok {
		return a.PrintJSON(object)
	}
	a.Printf("%s\n", show.Text(f.value))
	return nil
}

// connectionFields returns the fields that the connection has. Secrets are redacted,
// unless show is set.
func (a *app) connectionFields(c auth.Connection, show bool) []field {
	all := []field{{"provider", c.Provider}, {"connection_name", c.Name}, {"auth_type", c.AuthType}, {"status", string(c.Status)}, {"default", c.Default}}
	add := func(name, value string) {
		if value != "" {
			all = append(all, field{name, value})
		}
	}
	when := func(name string, t time.Time) {
		if !t.IsZero() {
			all = append(all, field{name, t.UTC().Truncate(time.Second)})
		}
	}
	hidden := func(name string, s secret.String) {
		switch {
		case s.IsZero():
		case show:
			add(name, s.Reveal())
		default:
			add(name, secret.Redacted)
		}
	}
	if err := c.Err(time.Now()); err != nil {
		add("problem", err.Detail())
		fix, who := a.Next(suggest.Login(c.Provider, c.Name))
		add("fix", fix)
		add("who", who)
	}
	add("base_url", c.BaseURL)
	if len(c.Scopes) > 0 {
		all = append(all, field{"scopes", c.Scopes})
	}
	hidden("api_key", c.APIKey)
	hidden("access_token", c.AccessToken)
	hidden("refresh_token", c.RefreshToken)
	add("token_type", c.TokenType)
	when("expires_at", c.ExpiresAt)
	when("refresh_expires_at", c.RefreshExpiresAt)
	when("obtained_at", c.ObtainedAt)
	add("issuer", c.Issuer)
	add("client_id", c.ClientID)
	add("account", cmp.Or(c.Account.Label, c.Account.ID))
	return all
}
