package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

type listOptions struct {
	text      string
	connected bool
	category  string
}

func newListCmd(a *app) *cobra.Command {
	o := &listOptions{}
	cmd := &cobra.Command{
		Use: "list [TEXT]", Short: "List providers and connections",
		Long: `List shows the connections, and then the names of the other providers by
category. With TEXT, which is searched in the names and aliases, or with a flag,
it shows a table of the providers that match.`,
		Example: `  authsome list
  authsome list slack
  authsome list --category llm
  authsome list --connected --json`,
		Args: optionalArg("TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.text = args[0]
			}
			return list(cmd.Context(), a, o)
		},
	}
	cmd.Flags().BoolVar(&o.connected, "connected", false, "list only providers with a connection")
	cmd.Flags().StringVar(&o.category, "category", "", "list only providers of the category `NAME`")
	return cmd
}

// providerView is a provider in --json.
type providerView struct {
	Name        string           `json:"name"`
	DisplayName string           `json:"display_name"`
	AuthType    string           `json:"auth_type"`
	Source      string           `json:"source"`
	Category    string           `json:"category"`
	Aliases     []string         `json:"aliases,omitempty"` // other names, under which commands find it too
	State       string           `json:"state"`
	Connections []connectionView `json:"connections"`
}

func list(ctx context.Context, a *app, o *listOptions) error {
	if o.category != "" && !slices.Contains(providers.Categories[:], o.category) {
		return exit.Usagef("unknown category %q; the categories are %s", o.category, strings.Join(providers.Categories[:], ", "))
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	t, err := a.routes(ctx)
	if err != nil {
		return err
	}
	all, err := listProviders(ctx, a, t)
	if err != nil {
		return err
	}
	out := struct {
		Bundled []providerView `json:"bundled"`
		Custom  []providerView `json:"custom"`
	}{[]providerView{}, []providerView{}}
	var connected, rest [][]string
	now := time.Now()
	for _, p := range all {
		if !o.keeps(p) {
			continue
		}
		if p.Source == providers.Custom {
			out.Custom = append(out.Custom, p)
		} else {
			out.Bundled = append(out.Bundled, p)
		}
		for _, c := range p.Connections {
			connected = append(connected, []string{p.Name, c.label(), c.Account, c.state(), c.expiry(now), p.AuthType, p.Source})
		}
		if len(p.Connections) == 0 {
			rest = append(rest, []string{p.Name, "-", "", "", "", p.AuthType, p.Source})
		}
	}
	if err := a.warnListed(o, append(out.Bundled, out.Custom...)); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(out)
	}
	defer a.reportProblems(append(out.Bundled, out.Custom...), t)
	heading := []string{"PROVIDER", "CONNECTION", "ACCOUNT", "STATUS", "EXPIRES", "TYPE", "SOURCE"}
	if o.narrowed() {
		if rows := append(connected, rest...); len(rows) > 0 {
			a.Table(withoutEmpty(append([][]string{heading}, rows...), 2))
			return nil
		}
		a.reportNoMatch(ctx, o)
		return nil
	}
	if len(connected) > 0 {
		a.Table(withoutEmpty(append([][]string{heading}, connected...), 2))
		a.Printf("\n")
	}
	a.Printf("%s", catalogue(all, show.TextWidth(a.Out)))
	if len(connected) == 0 {
		a.reportNoConnections(ctx)
	}
	return nil
}

// reportNoMatch says that the list is empty.
func (a *app) reportNoMatch(ctx context.Context, o *listOptions) {
	if o.text == "" && o.category == "" {
		a.reportNoConnections(ctx)
		return
	}
	a.Infof("%s; list all: %s", o.noMatch(), a.Suggest(suggest.Command("list")))
}

// withoutEmpty leaves a column out of a table if only its heading has text.
func withoutEmpty(rows [][]string, column int) [][]string {
	if slices.ContainsFunc(rows[1:], func(row []string) bool { return row[column] != "" }) {
		return rows
	}
	for i := range rows {
		rows[i] = slices.Delete(rows[i], column, column+1)
	}
	return rows
}

// reportNoConnections says what to do first.
func (a *app) reportNoConnections(ctx context.Context) {
	a.Infof("no connections yet: %s", a.Suggest(suggest.Command("login PROVIDER")))
	a.suggestImport(ctx)
}

// reportProblems reports the connections that need a login, that their service rejects,
// or whose definition was changed, and what several of them cover: why, and the command.
func (a *app) reportProblems(all []providerView, t *routing.Table) {
	for _, p := range all {
		for _, c := range p.Connections {
			if c.Problem != "" {
				a.Infof("%s/%s needs a new login: %s: %s", p.Name, c.Name, c.Problem, c.Fix)
			}
			if at := c.RejectedSince; at != nil {
				a.Infof("%s/%s was rejected by its service %s; check it: %s", p.Name, c.Name, show.Relative(*at, time.Now()), a.Suggest(suggest.Command("status %s", p.Name)))
			}
			if w := c.Waiting; w != nil {
				a.Infof("%s/%s does not use the changed definition of %s until you accept it: %s", p.Name, c.Name, p.Name, w.Fix)
			}
		}
	}
	a.reportContests(t, func(c routing.Choice) bool {
		return slices.ContainsFunc(all, func(p providerView) bool { return p.Name == c.Provider })
	})
}

// reportContests says what several connections cover, if one of them is listed.
func (a *app) reportContests(t *routing.Table, listed func(routing.Choice) bool) {
	for _, s := range explain.Contests(t) {
		if s.Notable() && slices.ContainsFunc(s.Among, listed) {
			a.Infof("%s", a.contestLine(s, routing.Choice{}))
		}
	}
}

// narrowed reports whether only some providers are listed.
func (o *listOptions) narrowed() bool { return o.text != "" || o.connected || o.category != "" }

// noMatch says that no provider is listed.
func (o *listOptions) noMatch() string {
	text := "no provider matches"
	if o.connected {
		text = "no connected provider matches"
	}
	if providers.MayBeKey(o.text) {
		text += " this text"
	} else if o.text != "" {
		text += fmt.Sprintf(" %q", o.text)
	}
	if o.category != "" {
		text += " in category " + o.category
	}
	return text
}

// keeps reports whether a provider is listed.
func (o *listOptions) keeps(p providerView) bool {
	text := strings.ToLower(o.text)
	hasText := func(name string) bool { return strings.Contains(name, text) }
	named := hasText(strings.ToLower(p.Name)) || hasText(strings.ToLower(p.DisplayName)) || p.Category == text || slices.ContainsFunc(p.Aliases, hasText)
	return named && (!o.connected || len(p.Connections) > 0) && (o.category == "" || o.category == p.Category)
}

// listProviders returns all definitions with their connections, sorted by name.
func listProviders(ctx context.Context, a *app, t *routing.Table) ([]providerView, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	connections, err := credentials.Connections(ctx)
	if err != nil {
		return nil, err
	}
	states, err := credentials.States(ctx)
	if err != nil {
		return nil, err
	}
	byProvider := make(map[string][]connectionView)
	for _, c := range connections {
		v := a.viewConnection(c)
		v.Shared = a.viewShared(t, c)
		byProvider[c.Provider] = append(byProvider[c.Provider], v)
	}
	var all []providerView
	for _, d := range set.All() {
		v := providerView{
			Name: d.Name, DisplayName: d.DisplayName, AuthType: d.AuthType(), Source: d.Source, Category: d.Category, Aliases: set.Aliases(d.Name),
			State: string(auth.StateAvailable), Connections: byProvider[d.Name],
		}
		if s, ok := states[d.Name]; ok {
			v.State = string(s)
		}
		if v.Connections == nil {
			v.Connections = []connectionView{}
		}
		all = append(all, v)
	}
	return all, nil
}
