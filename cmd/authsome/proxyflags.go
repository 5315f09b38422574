package main

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"

	"github.com/spf13/cobra"

	// With these roots, upstreams can be verified even in an image without any
	// certificates. They are only used if the system has none.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/proxyenv"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// proxyOptions are the flags that run and proxy share: what is intercepted, and how
// upstreams are reached.
type proxyOptions struct {
	providers       []string
	connections     []string
	unmatched       string
	connectTo       []string
	upstreamCA      []string
	upstreamProxy   string
	responseTimeout time.Duration
	allowPrivate    bool
}

func (o *proxyOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.providers, "provider", nil, "add credentials only for `PROVIDER[=CONNECTION]`, which must be connected; repeatable")
	f.StringArrayVar(&o.connections, "connection", nil, "prefer one connection, as `PROVIDER=NAME`, where others cover the same requests; does not leave out the others; repeatable")
	f.StringVar(&o.unmatched, "unmatched", "allow", "pass through hosts that no connected provider covers, or refuse them: `allow|deny`")
	f.StringArrayVar(&o.connectTo, "connect-to", nil, "connect to HOST2 instead of HOST, as `HOST:PORT:HOST2:PORT2`; the certificate must still be HOST's; repeatable")
	f.StringArrayVar(&o.upstreamCA, "upstream-ca", nil, "also trust the certificates in `FILE` for services; repeatable")
	f.StringVar(&o.upstreamProxy, "upstream-proxy", "", "reach services through the proxy at `URL` (default: HTTPS_PROXY, else ALL_PROXY, and NO_PROXY)")
	f.DurationVar(&o.responseTimeout, "response-timeout", 0, "give up if a service sends no response head for `DURATION` (default: wait)")
	f.BoolVar(&o.allowPrivate, "allow-private", false, "let clients that do not connect over loopback reach private addresses")
}

// routing returns the options of the routing table that the flags give. Every provider
// in a flag must exist, and flags must not contradict each other.
func (o *proxyOptions) routing(set *providers.Set) (routing.Options, error) {
	lookup := func(name *string) error {
		*name = set.Resolve(*name)
		_, err := set.Lookup(*name)
		return err
	}
	var r routing.Options
	for _, s := range o.providers {
		name, connection, named := strings.Cut(s, "=")
		if name == "" || named && home.ValidateName(connection) != nil {
			return r, exit.Usagef("--provider %s: use PROVIDER or PROVIDER=CONNECTION", s)
		}
		if err := lookup(&name); err != nil {
			return r, err
		}
		r.Only = append(r.Only, routing.Choice{Provider: name, Connection: connection})
	}
	for _, s := range o.connections {
		name, connection, _ := strings.Cut(s, "=")
		if name == "" || home.ValidateName(connection) != nil {
			return r, exit.Usagef("--connection %s: use PROVIDER=NAME", s)
		}
		if err := lookup(&name); err != nil {
			return r, err
		}
		r.Choose = append(r.Choose, routing.Choice{Provider: name, Connection: connection})
	}
	switch o.unmatched {
	case "allow":
	case "deny":
		r.DenyUnmatched = true
	default:
		return r, exit.Usagef("--unmatched %s: use allow or deny", o.unmatched)
	}
	return r, checkContradictions(r)
}

// checkContradictions returns an error if one flag would make another one have no effect.
func checkContradictions(r routing.Options) error {
	for _, c := range r.Only {
		whole := routing.Choice{Provider: c.Provider}
		if c.Connection != "" && slices.Contains(r.Only, whole) {
			return exit.Usagef("--provider %s and --provider %s contradict each other: the first means all connections of %s", whole, c, c.Provider)
		}
	}
	for _, c := range r.Choose {
		left := func(only routing.Choice) bool { return only.Covers(c.Provider, c.Connection) }
		if len(r.Only) > 0 && !slices.ContainsFunc(r.Only, left) {
			return exit.Usagef("--connection %s has no effect, because --provider leaves %s/%s out", c, c.Provider, c.Connection)
		}
	}
	return nil
}

// checkChosen returns an error if the flags name several connections that cover the same
// requests: only one of them could be used.
func checkChosen(r routing.Options, t *routing.Table) error {
	for _, s := range t.Shared() {
		named := func(all []routing.Choice) []routing.Choice {
			return slices.DeleteFunc(slices.Clone(s.Among), func(c routing.Choice) bool { return !slices.Contains(all, c) })
		}
		chosen, only := named(r.Choose), named(r.Only)
		several := func(of []routing.Choice) error {
			return exit.Usagef("%s and %s both cover %s: name only one of them", of[0], of[1], s.Host)
		}
		switch {
		case len(chosen) > 1:
			return several(chosen)
		case len(chosen) == 0 && len(only) > 1:
			return exit.WithAdvice(several(only), "to use both, say which one serves %s: --connection %s or --connection %s", s.Host, only[0], only[1])
		}
	}
	return nil
}

// checkExist returns an error if a flag names a connection that does not exist.
func checkExist(r routing.Options, connections []auth.Connection) error {
	for _, c := range slices.Concat(r.Only, r.Choose) {
		same := func(o auth.Connection) bool { return o.Provider == c.Provider && o.Name == c.Connection }
		if c.Connection != "" && !slices.ContainsFunc(connections, same) {
			return missingConnection(c)
		}
	}
	return nil
}

func missingConnection(c routing.Choice) error {
	return exit.WithHint(&exit.MissingError{Message: fmt.Sprintf("%s has no connection named %q", c.Provider, c.Connection)}, suggest.Login(c.Provider, c.Connection))
}

// checkNamed returns an error if a provider or connection in a flag has no usable
// credential. Otherwise the agent would learn this from its first request.
func checkNamed(r routing.Options, connections []auth.Connection, now time.Time) error {
	state := make(map[string]bool)               // provider or provider=connection → usable
	login := make(map[string]suggest.Suggestion) // the login that makes it usable
	for _, c := range connections {
		usable := c.Err(now) == nil
		state[c.Provider] = state[c.Provider] || usable
		state[c.Provider+"="+c.Name] = usable
		if !usable {
			next := suggest.Login(c.Provider, c.Name)
			login[c.Provider], login[c.Provider+"="+c.Name] = next, next
		}
	}
	check := func(key string) error {
		if state[key] {
			return nil
		}
		provider, connection, named := strings.Cut(key, "=")
		next, exists := login[key]
		if !exists {
			next = suggest.Login(provider, connection)
		}
		switch {
		case exists && named:
			return exit.WithHint(&exit.MissingError{Message: provider + "/" + connection + " needs a new login"}, next)
		case exists:
			return exit.WithHint(&exit.MissingError{Message: provider + " needs a new login"}, next)
		case named:
			return missingConnection(routing.Choice{Provider: provider, Connection: connection})
		}
		return exit.WithHint(&exit.MissingError{Message: provider + " is not connected"}, next)
	}
	for _, c := range slices.Concat(r.Only, r.Choose) {
		if err := check(c.String()); err != nil {
			return err
		}
	}
	return nil
}

// sidecar returns the options of a proxy that the flags give.
func (o *proxyOptions) sidecar(getenv func(string) string, set *providers.Set) (sidecar.Options, error) {
	s := sidecar.Options{ResponseTimeout: o.responseTimeout, AllowPrivate: o.allowPrivate}
	if o.responseTimeout < 0 {
		return s, exit.Usagef("--response-timeout %v: use %s", o.responseTimeout, flagForms["duration"])
	}
	for _, text := range o.connectTo {
		c, err := intercept.ParseConnectTo(text)
		if err != nil {
			return s, exit.Usagef("--connect-to: %v", err)
		}
		s.ConnectTo = append(s.ConnectTo, c)
	}
	var err error
	if s.Routing, err = o.routing(set); err != nil {
		return s, err
	}
	if s.UpstreamRoots, err = o.roots(); err != nil {
		return s, err
	}
	s.UpstreamProxy, err = o.proxyFunc(getenv)
	return s, err
}

// roots returns the certificates that services are verified with.
func (o *proxyOptions) roots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	for _, name := range o.upstreamCA {
		pem, err := regular.ReadNamed(name, maxDocument)
		if err != nil {
			return nil, exit.Usagef("--upstream-ca: %v", err)
		}
		certificates, err := ca.ParseCertificates(pem)
		if err != nil {
			return nil, exit.Usagef("--upstream-ca %s: %v", name, err)
		}
		for _, c := range certificates {
			pool.AddCert(c)
		}
	}
	return pool, nil
}

// proxyFunc returns the function that chooses the proxy for a URL: the proxy in
// --upstream-proxy, or else the one in the environment. It returns nil if services are
// reached directly.
func (o *proxyOptions) proxyFunc(getenv func(string) string) (func(*url.URL) (*url.URL, error), error) {
	if o.upstreamProxy != "" {
		u, err := url.Parse(o.upstreamProxy)
		if err != nil || u.Host == "" || !slices.Contains(intercept.UpstreamSchemes, u.Scheme) {
			return nil, exit.Usagef("--upstream-proxy %s: use %s", withoutPassword(o.upstreamProxy), proxyForms)
		}
		return func(*url.URL) (*url.URL, error) { return u, nil }, nil
	}
	forHTTPS, forHTTP := proxyenv.Find(getenv)
	for _, v := range []proxyenv.Variable{forHTTP, forHTTPS} {
		// Without a scheme, it is a host or host:port.
		scheme, _, found := strings.Cut(v.Value, "://")
		if found && !slices.Contains(intercept.UpstreamSchemes, strings.ToLower(scheme)) {
			return nil, exit.WithAdvice(exit.Usagef("%s %s: use %s", v.Name, withoutPassword(v.Value), proxyForms), "set %s to the URL of a proxy, or unset it", v.Name)
		}
	}
	return proxyenv.Func(getenv), nil
}

const proxyForms = "http://host:port, https://host:port or socks5://host:port"

// withoutPassword is the URL of a proxy as an error can show it: without what is before
// its @, which may be a password, also in a URL that is not valid.
func withoutPassword(proxy string) string {
	at := strings.LastIndex(proxy, "@")
	if at < 0 {
		return proxy
	}
	scheme, _, found := strings.Cut(proxy[:at], "://")
	if !found {
		scheme = ""
	} else {
		scheme += "://"
	}
	return scheme + "…" + proxy[at:]
}
