package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/takeover"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/audit"
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
		Use: "export [PROVIDER]", Short: "Write credentials as variables",
		Long: `Export writes the variables that a provider's clients read, with the real access
token or key in them, after a refresh if one is due. Refresh tokens are never
written. Without a PROVIDER it writes those of all connections; a variable that
several of them have gets the names of provider and connection appended.

Whoever reads what is written has the credentials: authsome run gives them to
nobody. Export is written to the audit log, and refused behind the proxy.

The formats: env, NAME=value lines for export $(…) and .env files, which refuses
values that these would change; shell, for eval; and json, one object.`,
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
	f.StringVar(&o.format, "format", "env", "write as `FORMAT`: env, shell or json, which --json means too")
	f.StringVar(&o.connection, "connection", "", "the connection `NAME`")
	f.StringVar(&o.prefix, "prefix", "", "put `TEXT` before each name")
	f.BoolVarP(&o.yes, "yes", "y", false, "write several secrets to a terminal, too")
	return cmd
}

// variable is one that is exported.
type variable struct {
	name  string
	value secret.String
	from  auth.Connection
}

func export(ctx context.Context, a *app, provider string, o *exportOptions) error {
	if err := a.refuseBehindProxy("export", "reveals secrets"); err != nil {
		return err
	}
	write := map[string]func([]variable) (string, error){"env": envLines, "shell": shellLines, "json": jsonObject}[o.format]
	switch {
	case write == nil:
		return exit.Usagef("--format %s: use env, shell or json", o.format)
	case o.connection != "" && provider == "":
		return exit.Usagef("--connection needs a PROVIDER")
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	all, failed := a.exported(ctx, provider, o.connection)
	if failed != nil && provider != "" {
		return failed
	}
	if err := disambiguate(all, o.prefix); err != nil {
		return err
	}
	if len(all) > 1 && !o.yes && terminal.IsTerminal(a.Out) {
		return exit.WithFlag(exit.Usagef("this would print %s to your screen", show.Plural(len(all), "secret")), "--yes")
	}
	text, err := write(all)
	if err != nil {
		return err
	}
	// The audit log comes first: it must never miss a secret that was written.
	for _, c := range connectionsIn(all) {
		if err := a.recordNow(ctx, audit.Event{Event: audit.Export, Provider: c.Provider, Connection: c.Name, Outcome: "ok"}); err != nil {
			return err
		}
	}
	a.Printf("%s", text)
	return failed
}

// exported are the variables of a provider's connection, or of all connections. Of
// all connections, those without a usable credential are left out, and the error is
// that of the first of them.
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
			continue
		}
		all = append(all, own...)
	}
	return all, failed
}

func (a *app) variablesOf(c auth.Connection) ([]variable, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	d, err := set.Lookup(c.Provider)
	if err != nil {
		return nil, err
	}
	var own []variable
	values := c.Values()
	for _, v := range d.Variables() {
		text, err := d.Expand("env", v.Value, values)
		if err != nil {
			continue // the connection does not have the value
		}
		own = append(own, variable{v.Name, secret.New(text), c})
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
		own = append(own, variable{upper(c.Provider) + field, value, c})
	}
	return own, nil
}

// upper is a text as a part of a variable's name.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(s))
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// disambiguate appends provider and connection to names that several connections
// have, and puts the prefix before each.
func disambiguate(all []variable, prefix string) error {
	count := make(map[string]int)
	for _, v := range all {
		count[v.name]++
	}
	seen := make(map[string]bool)
	for i, v := range all {
		if count[v.name] > 1 {
			v.name += "_" + upper(v.from.Provider) + "_" + upper(v.from.Name)
		}
		v.name = prefix + v.name
		switch {
		case !variableName.MatchString(v.name):
			return exit.Usagef("--prefix %s: %s is not a valid variable name", prefix, v.name)
		case seen[v.name]:
			return exit.WithCommand(fmt.Errorf("two variables would be called %s", v.name), "export %s --connection %s", v.from.Provider, v.from.Name)
		}
		seen[v.name], all[i] = true, v
	}
	return nil
}

func connectionsIn(all []variable) []auth.Connection {
	var connections []auth.Connection
	for i, v := range all {
		if i == 0 || all[i-1].from.Provider != v.from.Provider || all[i-1].from.Name != v.from.Name {
			connections = append(connections, v.from)
		}
	}
	return connections
}

func envLines(all []variable) (string, error) {
	var b strings.Builder
	for _, v := range all {
		if !takeover.IsPlainValue(v.value.Reveal()) {
			return "", exit.WithFlag(fmt.Errorf("the value of %s has a character that programs read differently in NAME=value lines", v.name), "--format shell")
		}
		fmt.Fprintf(&b, "%s=%s\n", v.name, v.value.Reveal())
	}
	return b.String(), nil
}

func shellLines(all []variable) (string, error) {
	var b strings.Builder
	for _, v := range all {
		value := v.value.Reveal()
		if strings.ContainsRune(value, 0) {
			return "", errors.New("the value of " + v.name + " has a NUL character, which no variable can hold")
		}
		fmt.Fprintf(&b, "export %s='%s'\n", v.name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return b.String(), nil
}

func jsonObject(all []variable) (string, error) {
	values := make(map[string]string, len(all))
	for _, v := range all {
		values[v.name] = v.value.Reveal()
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(values); err != nil {
		return "", errors.New("a value is not text, so JSON cannot hold it")
	}
	return b.String(), nil
}
