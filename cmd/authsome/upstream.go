package main

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"

	// An image without a certificate bundle still verifies upstreams: these roots
	// stand in when the system has none.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/routing"
)

// proxyOptions are the flags that `run` and `proxy` share: what is routed, and
// how upstreams are reached.
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
	f.StringArrayVar(&o.providers, "provider", nil, "inject only for `PROVIDER[=CONNECTION]`; repeatable, and each must be connected")
	f.StringArrayVar(&o.connections, "connection", nil, "which connection to use, as `PROVIDER=NAME`, without leaving others out; repeatable")
	f.StringVar(&o.unmatched, "unmatched", "allow", "relay hosts that are no route unopened, or refuse them: `allow|deny`")
	f.StringArrayVar(&o.connectTo, "connect-to", nil, "connect to another address, as `HOST:PORT:HOST2:PORT2`; names and certificate checks stay HOST's; repeatable")
	f.StringArrayVar(&o.upstreamCA, "upstream-ca", nil, "trust the certificates in `FILE` for upstreams too; repeatable")
	f.StringVar(&o.upstreamProxy, "upstream-proxy", "", "reach upstreams through the proxy at `URL` (default: HTTPS_PROXY and NO_PROXY)")
	f.DurationVar(&o.responseTimeout, "response-timeout", 0, "give up on an upstream that sends no response head for `DURATION` (default: wait)")
	f.BoolVar(&o.allowPrivate, "allow-private", false, "off loopback, let clients reach private addresses")
}

// routing turns the flags into table options. Every provider named must exist.
func (o *proxyOptions) routing(lookup func(string) error) (routing.Options, error) {
	r := routing.Options{Choose: make(map[string]string)}
	for _, s := range o.providers {
		name, connection, named := strings.Cut(s, "=")
		if err := lookup(name); err != nil {
			return r, err
		}
		r.Only = append(r.Only, name)
		if named {
			r.Choose[name] = connection
		}
	}
	for _, s := range o.connections {
		name, connection, ok := strings.Cut(s, "=")
		if !ok || connection == "" {
			return r, usageErrorf("--connection %s: write it as PROVIDER=NAME", s)
		}
		if err := lookup(name); err != nil {
			return r, err
		}
		r.Choose[name] = connection
	}
	switch o.unmatched {
	case "allow":
	case "deny":
		r.DenyUnmatched = true
	default:
		return r, usageErrorf("--unmatched %s: allow or deny", o.unmatched)
	}
	return r, nil
}

// checkNamed refuses to start when a provider or connection that was named has
// no usable credential: the agent would only find out at its first request.
func checkNamed(r routing.Options, connections []auth.Connection, now time.Time) error {
	state := make(map[string]bool)   // provider or provider=connection → usable
	login := make(map[string]string) // what mends one that is not
	for _, c := range connections {
		usable := c.Err(now) == nil
		state[c.Provider] = state[c.Provider] || usable
		state[c.Provider+"="+c.Name] = usable
		if !usable {
			again := loginCommand(c.Provider, c.Name) + " --force"
			login[c.Provider], login[c.Provider+"="+c.Name] = again, again
		}
	}
	check := func(key string) error {
		if state[key] {
			return nil
		}
		provider, connection, named := strings.Cut(key, "=")
		what := provider + " is not connected"
		if named {
			what = provider + " has no usable connection " + connection
		}
		return withHint(&missingError{what}, "%s", cmp.Or(login[key], loginCommand(provider, connection)))
	}
	for _, name := range r.Only {
		if err := check(name); err != nil {
			return err
		}
	}
	for name, connection := range r.Choose {
		if err := check(name + "=" + connection); err != nil {
			return err
		}
	}
	return nil
}

// settings fills in the proxy's upstream side.
func (o *proxyOptions) settings(getenv func(string) string) (*intercept.Proxy, error) {
	p := &intercept.Proxy{ResponseTimeout: o.responseTimeout, AllowPrivate: o.allowPrivate}
	for _, s := range o.connectTo {
		c, err := intercept.ParseConnectTo(s)
		if err != nil {
			return nil, usageErrorf("--connect-to: %v", err)
		}
		p.ConnectTo = append(p.ConnectTo, c)
	}
	var err error
	if p.UpstreamRoots, err = o.roots(); err != nil {
		return nil, err
	}
	if p.UpstreamProxy, err = o.chain(getenv); err != nil {
		return nil, err
	}
	return p, nil
}

func (o *proxyOptions) roots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	for _, name := range o.upstreamCA {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, usageErrorf("--upstream-ca: %v", err)
		}
		certificates, err := ca.ParseCertificates(pem)
		if err != nil {
			return nil, usageErrorf("--upstream-ca %s: %v", name, err)
		}
		for _, c := range certificates {
			pool.AddCert(c)
		}
	}
	return pool, nil
}

// chain is the proxy that upstreams are reached through: the one named, or the
// one this process was itself told to use.
func (o *proxyOptions) chain(getenv func(string) string) (func(*url.URL) (*url.URL, error), error) {
	config := httpproxy.Config{
		HTTPProxy: first(getenv, "HTTP_PROXY", "http_proxy"), HTTPSProxy: first(getenv, "HTTPS_PROXY", "https_proxy"), NoProxy: first(getenv, "NO_PROXY", "no_proxy"),
	}
	if o.upstreamProxy != "" {
		u, err := url.Parse(o.upstreamProxy)
		if err != nil || u.Host == "" {
			return nil, usageErrorf("--upstream-proxy: write it as http://host:port, https://… or socks5://…")
		}
		return func(*url.URL) (*url.URL, error) { return u, nil }, nil
	}
	if config.HTTPProxy == "" && config.HTTPSProxy == "" {
		return nil, nil
	}
	return config.ProxyFunc(), nil
}

func first(getenv func(string) string, names ...string) string {
	for _, n := range names {
		if v := getenv(n); v != "" {
			return v
		}
	}
	return ""
}
