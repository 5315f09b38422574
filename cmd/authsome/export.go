package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

type exportOptions struct {
	format     string
	connection string
	prefix     string
	yes        bool
}

func newExportCmd(a *app) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use: "export [PROVIDER]", Short: "Print credentials as environment variables",
		Long: `Export prints the environment variables that a provider's clients read, with the
real key or access token. A token that is due is refreshed first. Refresh tokens
are never printed. Without PROVIDER, export prints the variables of all
connections. If several connections have the same variable, the default
connection has the plain name, or nothing has it if the default connection
cannot be used; for the others, provider and connection are appended to it.

Anyone who reads the output has the credentials; the command of authsome run
never gets them. An export is recorded in the audit log, and refused behind the
proxy.

The formats are env, NAME=value lines for export $(…) and .env files, which
refuses values that these would change; shell, for eval; and json, one object.`,
		Example: `  eval "$(authsome export github --format shell)"
  authsome export openai --format json
  authsome export --prefix CI_ > .env`,
		Args: optionalArg("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			provider := ""
			if len(args) > 0 {
				provider = args[0]
			}
			if a.JSON && !cmd.Flags().Changed("format") {
				o.format = "json"
			}
			return export(cmd.Context(), a, provider, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "env", "print as `FORMAT`: env, shell or json, which --json means too")
	f.StringVar(&o.connection, "connection", "", "export the connection `NAME`")
	f.StringVar(&o.prefix, "prefix", "", "put `TEXT` before the name of each variable")
	f.BoolVarP(&o.yes, "yes", "y", false, "print several secrets even to a terminal")
	return cmd
}

// exportFormats write variables.
var exportFormats = map[string]func([]variable) (string, error){"env": envLines, "shell": shellLines, "json": jsonObject}

func export(ctx context.Context, a *app, provider string, o *exportOptions) error {
	write := exportFormats[o.format]
	switch {
	case write == nil:
		return exit.Usagef("--format %s: use env, shell or json", o.format)
	case o.connection != "" && provider == "":
		return exit.Usagef("--connection needs a PROVIDER")
	}
	if err := checkName("--connection", o.connection); err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	all, failed := a.exported(ctx, provider, o.connection)
	if failed != nil && provider != "" {
		return failed
	}
	all, err := disambiguate(all, o.prefix)
	if err != nil {
		return err
	}
	if len(all) > 1 && !o.yes && terminal.IsTerminal(a.Out) {
		return exit.WithFlag(exit.Usagef("this would print %s to your screen", show.Plural(len(all), "secret")), "--yes")
	}
	text, err := write(all)
	if err != nil {
		return err
	}
	// Recorded first, so that the audit log has every secret that was printed.
	for _, c := range connectionsIn(all) {
		if err := a.recordNow(ctx, audit.Event{Event: audit.Export, Provider: c.Provider, Connection: c.Name, Outcome: "ok"}); err != nil {
			return err
		}
	}
	a.Printf("%s", text)
	return failed
}

// exported returns the variables of a provider's connection, or of all connections if
// no provider is named. Of all connections, those without a usable credential are left
// out with a warning, and the error is that of the first one.
func (a *app) exported(ctx context.Context, provider, connection string) (all []variable, failed error) {
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	if provider != "" {
		if err := checkKnown(ctx, a, provider); err != nil {
			return nil, err
		}
		c, err := credentials.Fresh(ctx, provider, connection)
		if err != nil {
			return nil, err
		}
		return a.variablesOf(c)
	}
	connections, err := credentials.Connections(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range connections {
		fresh, err := credentials.Fresh(ctx, c.Provider, c.Name)
		var own []variable
		if err == nil {
			own, err = a.variablesOf(fresh)
		}
		if err != nil {
			a.Warnf("left out %s/%s: %v", c.Provider, c.Name, err)
			failed = cmp.Or(failed, err)
			own = a.leftOut(c)
		}
		all = append(all, own...)
	}
	return all, failed
}

// variablesOf returns the variables of one connection. If its definition names none,
// the key or the token gets a variable named after the provider.
func (a *app) variablesOf(c auth.Connection) ([]variable, error) {
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	d, _, err := credentials.Definition(c)
	if err != nil {
		return nil, err
	}
	var own []variable
	values := c.Values()
	for _, v := range d.Variables() {
		text, err := d.Expand("env", v.Value, values)
		if err != nil || v.Unset || !variableName.MatchString(v.Name) {
			continue // the connection does not have the value, or no shell can set the variable
		}
		own = append(own, variable{name: v.Name, value: secret.New(text), from: c})
	}
	if own == nil {
		field := "_API_KEY"
		value := c.APIKey
		if value.IsZero() {
			field, value = "_ACCESS_TOKEN", c.AccessToken
		}
		if value.IsZero() {
			return nil, exit.WithCommand(fmt.Errorf("the definition of %s names no variable to export", c.Provider), "inspect %s", c.Provider)
		}
		own = append(own, variable{name: upper(c.Provider) + field, value: value, from: c})
	}
	return own, nil
}

// leftOut returns the variables of a connection that cannot be used, without their values.
func (a *app) leftOut(c auth.Connection) []variable {
	lost := secret.New("lost") // a token that was revoked is not stored any more
	switch {
	case c.AuthType == providers.AuthOAuth2 && c.AccessToken.IsZero():
		c.AccessToken = lost
	case c.AuthType == providers.AuthAPIKey && c.APIKey.IsZero():
		c.APIKey = lost
	}
	own, err := a.variablesOf(c)
	if err != nil {
		return nil // its definition is missing, so nothing knows its variables
	}
	for i := range own {
		own[i].value, own[i].leftOut = secret.String{}, true
	}
	return own
}

// connectionsIn returns the connections that the variables are from.
func connectionsIn(all []variable) []auth.Connection {
	var connections []auth.Connection
	for i, v := range all {
		if i == 0 || all[i-1].from.Provider != v.from.Provider || all[i-1].from.Name != v.from.Name {
			connections = append(connections, v.from)
		}
	}
	return connections
}
