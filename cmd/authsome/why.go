package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/sidecar"
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
proxy's own code, and explains it: the route, the connection, or what is missing.`,
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
	text, fix := explain(set, e)
	if a.json {
		return a.printJSON(struct {
			Host        string   `json:"host"`
			Port        int      `json:"port"`
			Path        string   `json:"path"`
			Decision    string   `json:"decision"`
			Injected    bool     `json:"injected"`
			Provider    string   `json:"provider,omitempty"`
			Connection  string   `json:"connection,omitempty"`
			Pattern     string   `json:"pattern,omitempty"`
			Choices     []string `json:"choices,omitempty"`
			Explanation string   `json:"explanation"`
			Fix         string   `json:"fix,omitempty"`
		}{e.Host, e.Port, e.Path, string(e.Reason), e.Action == routing.Inject, e.Provider, e.Connection, e.Pattern, e.Choices, text, fix})
	}
	a.printf("%s\n", text)
	if fix != "" {
		a.printf("%s\n", fix)
	}
	return nil
}

// explain puts a decision into words: what happens, and the command that would
// change it.
func explain(set *providers.Set, e routing.Explanation) (text, fix string) {
	switch e.Reason {
	case routing.Matched:
		return fmt.Sprintf("the credential of %s connection %s is injected: %s is listed by %s", e.Provider, e.Connection, e.Host, e.Pattern), ""
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
		return "refused: servers read this path in different ways, and it matters here", "send it without dot segments, doubled slashes and encoded slashes"
	case routing.HTTPSRequired:
		return fmt.Sprintf("refused with https_required: credentials of %s travel over https only", e.Provider), "use https://" + e.Host
	case routing.HostDenied:
		return "refused with host_denied: it is no route, and --unmatched deny refuses those", ""
	case routing.OtherPort:
		return fmt.Sprintf("relayed unopened: a connected provider has this host on another port than %d", e.Port), ""
	}
	for _, d := range set.All() {
		if d.Claims(e.Host, e.Port) {
			return fmt.Sprintf("relayed unopened: %s is a host of %s, which is not connected", e.Host, d.Name), "authsome login " + d.Name
		}
	}
	return "relayed unopened: no provider lists this host", "authsome register FILE adds one"
}
