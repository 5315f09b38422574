package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
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
		Long: `Why takes the decision that the proxy takes for a request to URL, with the
proxy's own code, and explains it: the route, the connection, or what is missing,
and the command that changes it. It also names the entries of NO_PROXY here for
which clients would go past a proxy.`,
		Example: `  authsome why https://api.openai.com/v1/models
  authsome why https://api.github.com/user --connection github=work`,
		Args: exactArgs("URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return why(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.method, "method", "X", http.MethodGet, "the request's `METHOD`")
	f.StringArrayVar(&o.providers, "provider", nil, "as if the run had --provider `PROVIDER[=CONNECTION]`")
	f.StringArrayVar(&o.connections, "connection", nil, "as if the run had --connection `PROVIDER=NAME`")
	f.StringVar(&o.unmatched, "unmatched", "allow", "as if the run had --unmatched `allow` or deny")
	return cmd
}

func why(ctx context.Context, a *app, raw string, o *whyOptions) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return usageErrorf("%q is no URL with a host: write it as https://host/path", raw)
	}
	set, err := a.providers()
	if err != nil {
		return err
	}
	options, err := o.routing(func(name string) error { _, err := set.Lookup(name); return err })
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
	t, err := routing.New(set.All(), sidecar.Bindings(set, connections, time.Now()), options)
	if err != nil {
		return err
	}
	e, err := t.Explain(o.method, u)
	if err != nil {
		return usageErrorf("%v", err)
	}
	v := whyView{
		Method: e.Method, Host: e.Host, Port: e.Port, Path: e.Path,
		Decision: string(e.Reason), Injected: e.Action == routing.Inject,
		Provider: e.Provider, Connection: e.Connection, Pattern: e.Pattern, Choices: e.Choices,
	}
	v.Explanation, v.Fix = explain(set, e)
	v.Fix = a.here(v.Fix)
	for _, c := range connections {
		if c.Provider == e.Provider && c.Name == e.Connection {
			state := a.viewConnection(c)
			v.State = &state
		}
	}
	v.NoProxy = a.bypasses(e.Host)
	if a.json {
		return a.printJSON(v)
	}
	a.printf("%s\n", v.Explanation)
	facts(a.stdout, v.rows(time.Now(), a.getenv(child.ModeVariable) != ""))
	if v.Fix != "" {
		a.printf("%s\n", v.Fix)
	}
	return nil
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
	NoProxy     []string        `json:"no_proxy"` // entries for which clients here go past a proxy
	Explanation string          `json:"explanation"`
	Fix         string          `json:"fix,omitempty"`
}

// rows are the facts behind the decision, for people.
func (v *whyView) rows(now time.Time, behindProxy bool) [][]string {
	rows := [][]string{{"  request", fmt.Sprintf("%s, host %s, port %d, path %s", v.Method, v.Host, v.Port, v.Path)}}
	if v.Pattern != "" {
		rows = append(rows, []string{"  route", v.Pattern + " of " + v.Provider})
	}
	if c := v.State; c != nil {
		rows = append(rows, []string{"  connection", c.sentence(now)})
	}
	if len(v.NoProxy) > 0 {
		effect := "some clients go past a proxy for it; authsome run leaves the entry out where the host is routed"
		if behindProxy {
			effect = "some clients go past the proxy for it: it was set after authsome run had cleaned it"
		}
		rows = append(rows, []string{"  NO_PROXY", strings.Join(v.NoProxy, ", ") + ": " + effect})
	}
	return rows
}

// sentence is the state of a connection in words.
func (c *connectionView) sentence(now time.Time) string {
	s := c.label() + ", " + c.Status
	if c.ExpiresAt == nil {
		return s
	}
	expired, when := !now.Before(*c.ExpiresAt), relative(*c.ExpiresAt, now)
	switch {
	case expired && c.Status == string(auth.StatusExpired):
		s += " " + when
	case expired:
		s += ", expired " + when
	default:
		s += ", expires " + when
	}
	switch {
	case c.Renewable && expired:
		s += ", renewed when used"
	case c.Renewable:
		s += ", renewed by itself"
	}
	return s
}

// bypasses are the entries of NO_PROXY here that cover host.
func (a *app) bypasses(host string) []string {
	found := []string{}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		for _, entry := range child.Bypasses(a.getenv(name), host) {
			if !slices.Contains(found, entry) {
				found = append(found, entry)
			}
		}
	}
	return found
}

// explain puts a decision into words: what happens, and the command that would
// change it.
func explain(set *providers.Set, e routing.Explanation) (text, fix string) {
	switch e.Reason {
	case routing.Matched:
		return fmt.Sprintf("the credential of %s connection %s is injected", e.Provider, e.Connection), ""
	case routing.LoginRequired:
		text := fmt.Sprintf("refused with login_required: %s connection %s has no usable credential", e.Provider, e.Connection)
		if e.Problem != "" {
			text += ": " + e.Problem
		}
		return text, loginCommand(e.Provider, e.Connection) + " --force"
	case routing.RouteAmbiguous:
		return "refused with route_ambiguous: these fit equally well: " + strings.Join(e.Choices, ", "), "authsome run --provider " + e.Choices[0] + " -- COMMAND"
	case routing.PathOutside:
		return fmt.Sprintf("forwarded without a credential: the host is %s's, the path is not", e.Provider), "authsome inspect " + e.Provider
	case routing.MethodOutside:
		return fmt.Sprintf("forwarded without a credential: %s does not list the method %s", e.Provider, e.Method), "authsome inspect " + e.Provider
	case routing.OAuthEndpoint:
		return fmt.Sprintf("forwarded without a credential: this is a sign-in endpoint of %s, which never gets a stored one", e.Provider), ""
	case routing.PathAmbiguous:
		return "refused: servers read this path in different ways, and it matters here", "send it without dot segments, semicolons, doubled slashes and encoded slashes"
	case routing.HTTPSRequired:
		return fmt.Sprintf("refused with https_required: credentials of %s travel over https only", e.Provider), "use https://" + e.Host
	case routing.HostDenied:
		return "refused with host_denied: it is no route, and --unmatched deny refuses those", ""
	case routing.OtherPort:
		return fmt.Sprintf("relayed unopened: a connected provider has this host on another port than %d", e.Port), ""
	}
	var owners []string
	for _, d := range set.All() {
		if d.Claims(e.Host, e.Port) {
			owners = append(owners, d.Name)
		}
	}
	if len(owners) == 1 {
		return fmt.Sprintf("relayed unopened: %s is a host of %s, which is not connected", e.Host, owners[0]), "authsome login " + owners[0]
	}
	if len(owners) > 1 {
		return fmt.Sprintf("relayed unopened: %s is a host of %s, none of them connected", e.Host, strings.Join(owners, ", ")), "authsome login " + owners[0]
	}
	return "relayed unopened: no provider lists this host", "authsome register FILE adds one"
}
