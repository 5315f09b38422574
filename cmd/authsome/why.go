package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/routing"
)

type whyOptions struct {
	proxyOptions
	method string
}

func newWhyCmd(a *app) *cobra.Command {
	o := &whyOptions{}
	cmd := &cobra.Command{
		Use: "why URL", Short: "Explain what the proxy would do with a request",
		Long: `Why decides about a request to URL with the proxy's own code and explains the
decision: which connection is used, or what is missing, and the command that
changes it. It also shows the entries of NO_PROXY in this environment that make
some clients bypass a proxy. A URL without a scheme is an https URL.`,
		Example: `  authsome why api.openai.com/v1/models
  authsome why https://api.github.com/user --connection github=work`,
		Args: exactArgs("URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return why(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.method, "method", "X", http.MethodGet, "the request's `METHOD`")
	f.StringArrayVar(&o.providers, "provider", nil, "decide as run does with --provider `PROVIDER[=CONNECTION]`; repeatable")
	f.StringArrayVar(&o.connections, "connection", nil, "decide as run does with --connection `PROVIDER=NAME`; repeatable")
	f.StringVar(&o.unmatched, "unmatched", "allow", "decide as run does with --unmatched `allow|deny`")
	return cmd
}

func why(ctx context.Context, a *app, raw string, o *whyOptions) error {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	u, err := parseURL(raw)
	if err != nil {
		return err
	}
	if _, err := http.NewRequest(o.method, u.String(), nil); err != nil || o.method == "" {
		return exit.Usagef("--method %q: use a method such as GET or POST", o.method)
	}
	set, err := a.providers()
	if err != nil {
		return err
	}
	options, err := o.routing(set)
	if err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	connections, err := credentials.Connections(ctx)
	if err != nil {
		return err
	}
	t, err := tableFor(ctx, credentials, connections, options)
	if err != nil {
		return err
	}
	e, err := t.Explain(o.method, u)
	if err != nil {
		return exit.Usagef("%v", err)
	}
	p := explain.Profile{Providers: set, Waiting: acceptCommands(credentials, connections)}
	for _, c := range connections {
		p.Connected = append(p.Connected, c.Provider)
	}
	if len(options.Only) > 0 {
		options.Only = nil
		whole, err := sidecar.Table(ctx, credentials, connections, options)
		if err != nil {
			return err
		}
		p.LeftOut = leftOut(whole, e)
	}
	v := a.viewWhy(e, connections)
	text, next := p.Decision(e)
	v.Explanation = text
	v.Fix, v.Who = a.Next(next)
	if a.JSON {
		return a.PrintJSON(v)
	}
	a.Printf("%s\n", v.Explanation)
	a.Facts(v.rows(time.Now(), a.bypassEffect()))
	if v.Fix != "" {
		a.Printf("next: %s\n", v.Fix)
	}
	return nil
}

// viewWhy returns the facts of a decision, without its explanation.
func (a *app) viewWhy(e routing.Explanation, connections []auth.Connection) whyView {
	v := whyView{
		Method: e.Method, Host: e.Host, Port: e.Port, Path: e.Path,
		Decision: string(e.Reason), Injected: e.Action == routing.Inject,
		Provider: e.Provider, Connection: e.Connection, Pattern: e.Pattern, Choices: e.Choices,
	}
	for _, c := range connections {
		if c.Provider == e.Provider && c.Name == e.Connection {
			state := a.viewConnection(c)
			v.State = &state
		}
	}
	if len(e.Among) > 1 {
		v.Among = explain.Names(e.Among)
	}
	v.NoProxy = a.bypasses(e.Host)
	return v
}

// leftOut returns the connections that cover the host in a table with all connections, if
// the request was decided to be for a host that no connection covers.
func leftOut(whole *routing.Table, e routing.Explanation) []routing.Choice {
	switch e.Reason {
	case routing.TunnelUnmatched, routing.HostDenied:
		if whole.Host(e.Host, e.Port) != routing.Intercept {
			return nil
		}
	case routing.NoRoute: // plain http, on any port
	default:
		return nil
	}
	var all []routing.Choice
	for _, r := range whole.Routes() {
		if c := (routing.Choice{Provider: r.Provider, Connection: r.Connection}); r.MatchHost(e.Host) && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// tableFor is the routing table that a proxy with the options would have. The error is the
// one that the proxy would have about a connection that does not exist, or that others
// that are named exclude.
func tableFor(ctx context.Context, credentials *auth.Auth, connections []auth.Connection, options routing.Options) (*routing.Table, error) {
	if err := checkExist(options, connections); err != nil {
		return nil, err
	}
	t, err := sidecar.Table(ctx, credentials, connections, options)
	if err != nil {
		return nil, err
	}
	return t, checkChosen(options, t)
}

// acceptCommands returns how to accept the changed definitions that connections do not
// use yet, by provider.
func acceptCommands(credentials *auth.Auth, connections []auth.Connection) map[string]suggest.Suggestion {
	commands := make(map[string]suggest.Suggestion)
	for _, w := range waitingOf(credentials, connections) {
		if _, known := commands[w.Provider]; !known || w.Default {
			commands[w.Provider] = suggest.Accept(w.Provider, w.Name)
		}
	}
	return commands
}

// hasScheme matches a URL that has a scheme. One in its query, as that of a redirect, is
// not the URL's.
var hasScheme = regexp.MustCompile(`^[^/?#]*://`)

// parseURL reads the URL of a request. Without a scheme it is an https URL.
func parseURL(raw string) (*url.URL, error) {
	full := strings.TrimSpace(raw)
	if !hasScheme.MatchString(full) {
		full = "https://" + strings.TrimPrefix(full, "//")
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" {
		return nil, exit.Usagef("%q is not a URL: use https://HOST/PATH", raw)
	}
	return u, nil
}

// whyView is the shape of --json.
type whyView struct {
	Method      string          `json:"method"`
	Host        string          `json:"host"`
	Port        int             `json:"port"`
	Path        string          `json:"path"`
	Decision    string          `json:"decision"`
	Injected    bool            `json:"injected"`
	Provider    string          `json:"provider,omitempty"`
	Connection  string          `json:"connection,omitempty"`
	State       *connectionView `json:"state,omitempty"` // of the connection
	Pattern     string          `json:"pattern,omitempty"`
	Choices     []string        `json:"choices,omitempty"`
	Among       []string        `json:"among,omitempty"` // the connections that match equally well, if there are several
	NoProxy     []string        `json:"no_proxy"`        // entries that make some clients bypass a proxy
	Explanation string          `json:"explanation"`
	Fix         string          `json:"fix,omitempty"`
	Who         string          `json:"who,omitempty"` // "person" behind the proxy, if the fix needs one
}

// rows returns the facts that led to the decision. The effect is that of the entries of
// NO_PROXY.
func (v *whyView) rows(now time.Time, effect string) [][]string {
	rows := [][]string{{"  request", fmt.Sprintf("%s, host %s, port %d, path %s", v.Method, v.Host, v.Port, v.Path)}}
	if v.Pattern != "" {
		// Connections of several providers may match, and none of them be chosen.
		rows = append(rows, []string{"  matches", v.Pattern + " of " + cmp.Or(v.Provider, strings.Join(v.Among, ", "))})
	}
	if len(v.Among) > 1 && v.Connection != "" {
		rows = append(rows, []string{"  shared", "by " + strings.Join(v.Among, ", ") + "; " + v.Provider + "/" + v.Connection + " serves it"})
	}
	if c := v.State; c != nil {
		rows = append(rows, []string{"  connection", c.sentence(now)})
		if c.Waiting != nil {
			rows = append(rows, []string{"  definition", "was changed, and the connection does not use the changes yet: " + c.Waiting.Fix})
		}
	}
	if len(v.NoProxy) > 0 {
		rows = append(rows, []string{"  NO_PROXY", strings.Join(v.NoProxy, ", ") + ": " + effect})
	}
	return rows
}

// bypassEffect is the effect of entries of NO_PROXY that cover a host.
func (a *app) bypassEffect() string {
	const effect = "some clients bypass the proxy for this host; "
	switch {
	case a.serving == "proxy":
		return effect + "remove the entry if the host is intercepted"
	case a.Behind():
		return effect + "the entry was set after authsome run started the command"
	}
	return effect + "authsome run removes the entry if the host is intercepted"
}

// noProxyVariables list hosts that clients reach without a proxy.
var noProxyVariables = []string{"NO_PROXY", "no_proxy"}

// bypasses returns the entries of NO_PROXY in this environment that cover host.
func (a *app) bypasses(host string) []string {
	found := []string{}
	for _, name := range noProxyVariables {
		for _, entry := range child.Bypasses(a.Getenv(name), host) {
			if !slices.Contains(found, entry) {
				found = append(found, entry)
			}
		}
	}
	return found
}
