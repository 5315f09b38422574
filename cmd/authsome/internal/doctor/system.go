package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime/debug"
	"slices"
	"time"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/proxyenv"
)

// checkClock compares the clock with times that must be in the past.
func (d *Doctor) checkClock(ctx context.Context) []finding {
	now := time.Now()
	remedy := suggest.Advice("set the clock: certificates and tokens depend on it")
	if info, found := debug.ReadBuildInfo(); found {
		for _, s := range info.Settings {
			if built, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && now.Before(built) {
				return problem("clock", "it is "+now.Format(time.RFC3339)+", but this program was built later", remedy)
			}
		}
	}
	if p, err := d.Opener.Profile(); err == nil {
		connections, _ := p.Connections(ctx) // the connections' check reports an error
		for _, c := range connections {
			if c.ObtainedAt.After(now.Add(time.Minute)) {
				return problem("clock", c.Provider+"/"+c.Name+" was obtained "+show.Duration(c.ObtainedAt.Sub(now))+" after the present time: the clock was set back", remedy)
			}
		}
	}
	return ok("clock", "%s", now.Format(time.RFC3339))
}

// setProxy is the remedy for a variable that is not the URL of a proxy.
var setProxy = suggest.Advice("set it to http://HOST:PORT, or unset it")

// checkUpstreamProxies checks that the proxies through which services are reached
// accept connections.
func (d *Doctor) checkUpstreamProxies(ctx context.Context) []finding {
	var all []finding
	seen := make(map[string]bool)
	forHTTPS, forHTTP := proxyenv.Find(d.Console.Getenv)
	for _, v := range []proxyenv.Variable{forHTTPS, forHTTP} {
		name, value := v.Name, v.Value
		if value == "" || seen[value] {
			continue
		}
		seen[value] = true
		u, err := url.Parse(value)
		if err == nil && u.Host == "" {
			u, err = url.Parse("http://" + value)
		}
		if err != nil || u.Host == "" {
			all = append(all, problem("proxy", name+" is not the URL of a proxy, and services are reached through it", setProxy)...)
			continue
		}
		if !slices.Contains(intercept.UpstreamSchemes, u.Scheme) {
			all = append(all, problem("proxy", fmt.Sprintf("services are reached through %s=%s, but %s is not a kind of proxy that authsome can use", name, u.Redacted(), u.Scheme), setProxy)...)
			continue
		}
		if err := dialProxy(ctx, u); err != nil {
			all = append(all, problem("proxy", fmt.Sprintf("services are reached through %s=%s, which does not answer: %s", name, u.Redacted(), cause(err)), suggest.Advice("unset it, or use --upstream-proxy"))...)
			continue
		}
		all = append(all, ok("proxy", "services are reached through %s (%s)", u.Redacted(), name)...)
	}
	if all == nil {
		return ok("proxy", "services are reached directly")
	}
	return all
}

func dialProxy(ctx context.Context, u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return c.Close()
}

// checkTrust checks the certificates that a run gives to the agent's clients.
func (d *Doctor) checkTrust(context.Context) []finding {
	roots, err := ca.SystemRoots(d.Console.Getenv)
	if errors.Is(err, ca.ErrNoRoots) {
		return problem("trust", err.Error(), suggest.Advice("install the system's certificates, for example: apt-get install ca-certificates"))
	}
	if err != nil {
		return failed("trust", err)
	}
	if _, err := ca.ExtraRoots(d.Console.Getenv); err != nil {
		return failed("trust", err)
	}
	return ok("trust", "%s for the agent's clients", show.Plural(bytes.Count(roots, []byte("-----BEGIN")), "certificate"))
}

// checkPeers checks whether the proxy can be guarded without a token.
func (d *Doctor) checkPeers(context.Context) []finding {
	if err := intercept.KnowsPeers(); err != nil {
		return warning("guard", "a token guards the proxy, because this system does not say which user a connection belongs to: "+err.Error(), suggest.Suggestion{})
	}
	return ok("guard", "only your user can use the proxy")
}
