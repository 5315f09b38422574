package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// ownChecks are those of the user's own side.
func (a *app) ownChecks() []checkup {
	return []checkup{a.checkHome, a.checkVault, a.checkDefinitions, a.checkConnections, a.checkRoutes, a.checkAudit, a.checkClock, a.checkProxies, a.checkTrust, a.checkPeers, a.checkClients}
}

func (a *app) checkHome(context.Context) []finding {
	h, err := a.home()
	if err != nil {
		return failed("home", err)
	}
	p, err := a.profile()
	if err != nil {
		return failed("home", err)
	}
	return fine("home", "%s, profile %s", h.Dir, p.Name)
}

// probeKey is the record that is written, read and deleted.
const probeKey = "doctor:probe"

func (a *app) checkVault(ctx context.Context) []finding {
	ctx, cancel := bounded(ctx)
	defer cancel()
	v, err := a.vault()
	if err != nil {
		return failed("vault", err)
	}
	value := []byte(time.Now().Format(time.RFC3339Nano))
	begin := time.Now()
	if err := v.Update(ctx, func(tx *vault.Tx) error { return tx.Put(probeKey, value) }); err != nil {
		return failed("vault", err)
	}
	err = v.View(ctx, func(tx *vault.Tx) error {
		got, err := tx.Get(probeKey)
		if err == nil && !bytes.Equal(got, value) {
			err = errors.New("the vault gave another value back than it was given")
		}
		return err
	})
	if err != nil {
		return failed("vault", err)
	}
	if err := v.Update(ctx, func(tx *vault.Tx) error { return tx.Delete(probeKey) }); err != nil {
		return failed("vault", err)
	}
	return fine("vault", "a record was written, read and deleted in %s", time.Since(begin).Round(time.Millisecond))
}

func (a *app) checkDefinitions(context.Context) []finding {
	set, err := a.providers()
	if err != nil {
		return failed("definitions", err)
	}
	var all []finding
	for _, p := range set.Problems {
		all = append(all, finding{"definitions", problem, fmt.Sprintf("%s is not used: %v", p.Path, p.Err), "mend the file, then authsome register it again"})
	}
	if all == nil {
		return fine("definitions", "%d providers", len(set.All()))
	}
	return all
}

// expirySoon is how long before the end of a credential that nothing renews the
// user is told.
const expirySoon = 7 * 24 * time.Hour

func (a *app) checkConnections(ctx context.Context) []finding {
	connections, err := a.connections(ctx)
	if err != nil {
		return failed("connections", err)
	}
	set, err := a.providers()
	if err != nil {
		return failed("connections", err)
	}
	now := time.Now()
	var all []finding
	for _, c := range connections {
		name, login := c.Provider+"/"+c.Name, a.here(loginCommand(c.Provider, c.Name)+" --force")
		if _, err := set.Lookup(c.Provider); err != nil {
			all = append(all, finding{"connections", problem, name + " has no definition, so it is used for nothing", "authsome register FILE, or authsome remove " + c.Provider})
			continue
		}
		switch {
		case c.Err(now) != nil:
			all = append(all, finding{"connections", problem, name + " is " + string(c.Status) + ": requests are refused", login})
		case !c.ExpiresAt.IsZero() && c.RefreshToken.IsZero() && c.ExpiresAt.Sub(now) < expirySoon:
			all = append(all, finding{"connections", warning, name + " ends " + relative(c.ExpiresAt, now) + ", and nothing renews it", login})
		}
	}
	if all == nil {
		return fine("connections", "%s, all usable", plural(len(connections), "connection"))
	}
	return all
}

func (a *app) connections(ctx context.Context) ([]auth.Connection, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	return credentials.Connections(ctx)
}

// table is the one that the proxy would have now.
func (a *app) table(ctx context.Context) (*routing.Table, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	connections, err := a.connections(ctx)
	if err != nil {
		return nil, err
	}
	return routing.New(set.All(), sidecar.Bindings(set, connections, time.Now()), routing.Options{})
}

// checkRoutes asks the proxy's own table about each host that it routes.
func (a *app) checkRoutes(ctx context.Context) []finding {
	t, err := a.table(ctx)
	if err != nil {
		return failed("routes", err)
	}
	set, err := a.providers()
	if err != nil {
		return failed("routes", err)
	}
	var all []finding
	for _, p := range t.Problems() {
		all = append(all, finding{"routes", problem, p.Provider + " has none: " + p.Err.Error(), a.here(loginCommand(p.Provider, "") + " --force")})
	}
	seen := make(map[string]bool)
	for _, r := range t.Routes() {
		host := strings.TrimPrefix(r.Host, ".")
		e, err := t.Explain(http.MethodGet, &url.URL{Scheme: "https", Host: host, Path: "/"})
		if err != nil || e.Reason != routing.RouteAmbiguous {
			continue
		}
		choices := strings.Join(e.Choices, ", ")
		if seen[choices] {
			continue
		}
		seen[choices] = true
		_, fix := explain(set, e)
		all = append(all, finding{"routes", warning, host + ": these fit equally well, so requests are refused: " + choices, fix})
	}
	if all == nil {
		return fine("routes", "%s, none ambiguous", plural(t.Len(), "route"))
	}
	return all
}

func (a *app) checkAudit(ctx context.Context) []finding {
	h, err := a.home()
	if err != nil {
		return nil
	}
	keys, err := auditKeys(ctx, a)
	if err != nil {
		return nil // the vault's check has told
	}
	r, err := audit.Verify(h.AuditPath(), keys)
	switch {
	case err != nil:
		return failed("audit log", err)
	case len(r.Problems) > 0:
		return []finding{{"audit log", problem, "it is not as it was written: " + r.Problems[0].String(), "authsome log --verify"}}
	}
	return fine("audit log", "%s, nothing changed", plural(r.Lines, "line"))
}

// checkClock compares the clock with what must lie in the past.
func (a *app) checkClock(ctx context.Context) []finding {
	now := time.Now()
	remedy := "set the clock: certificates and tokens go by it"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if built, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && now.Before(built) {
				return []finding{{"clock", problem, now.Format(time.RFC3339) + " is before this program was written", remedy}}
			}
		}
	}
	connections, err := a.connections(ctx)
	if err == nil {
		for _, c := range connections {
			if c.ObtainedAt.After(now.Add(time.Minute)) {
				return []finding{{"clock", problem, c.Provider + "/" + c.Name + " was obtained " + relative(c.ObtainedAt, now) + ": the clock was put back", remedy}}
			}
		}
	}
	return fine("clock", "%s", now.Format(time.RFC3339))
}

// checkProxies looks at the proxy that upstreams are reached through.
func (a *app) checkProxies(ctx context.Context) []finding {
	var all []finding
	seen := make(map[string]bool)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		value := a.getenv(name)
		if value == "" || seen[value] {
			continue
		}
		seen[value] = true
		u, err := url.Parse(value)
		if err == nil && u.Host == "" {
			u, err = url.Parse("http://" + value)
		}
		if err != nil || u.Host == "" {
			all = append(all, finding{"proxy", problem, name + " is not a URL, and services are reached through it", "write it as http://host:port"})
			continue
		}
		address := u.Host
		if u.Port() == "" {
			address = net.JoinHostPort(u.Hostname(), map[string]string{"https": "443", "socks5": "1080"}[u.Scheme])
		}
		if strings.HasSuffix(address, ":") {
			address += "80"
		}
		dial, cancel := context.WithTimeout(ctx, 5*time.Second)
		c, err := (&net.Dialer{}).DialContext(dial, "tcp", address)
		cancel()
		if err != nil {
			all = append(all, finding{"proxy", problem, fmt.Sprintf("%s=%s, and services are reached through it: %v", name, u.Redacted(), err), "unset it, or use --upstream-proxy"})
			continue
		}
		c.Close()
		all = append(all, finding{"proxy", sound, fmt.Sprintf("services are reached through %s (%s)", u.Redacted(), name), ""})
	}
	if all == nil {
		return fine("proxy", "services are reached directly")
	}
	return all
}

func (a *app) checkTrust(context.Context) []finding {
	roots, err := ca.SystemRoots(a.getenv)
	if err != nil {
		return []finding{{"trust", problem, err.Error(), "apt-get install ca-certificates, or the like"}}
	}
	return fine("trust", "%d certificates for the agent's clients", bytes.Count(roots, []byte("-----BEGIN")))
}

func (a *app) checkPeers(context.Context) []finding {
	if err := intercept.KnowsPeers(); err != nil {
		return []finding{{"guard", warning, "this system does not tell whose a connection is, so a token guards the proxy: " + err.Error(), ""}}
	}
	return fine("guard", "the system tells whose a connection is: other users are refused")
}

// checkClients names clients on this machine that do not follow the variables.
func (a *app) checkClients(ctx context.Context) []finding {
	var all []finding
	if runtime.GOOS == "darwin" {
		all = append(all, finding{"clients", warning, "programs written in Go ask the keychain for certificates here, and refuse the proxy's", "run them in the sidecar's container"})
	}
	if v := nodeVersion(ctx); v != "" && nodeIgnoresProxies(v) {
		all = append(all, finding{"clients", warning, "Node " + v + ": its fetch knows no proxy variables, so it reaches no route", "use Node 22.21, 24.5, or later"})
	}
	return all
}

func nodeVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--version")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

// nodeIgnoresProxies: NODE_USE_ENV_PROXY came with 24.0 for fetch and 24.5 for
// https, and with 22.21.
func nodeIgnoresProxies(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	switch {
	case major == 22:
		return minor < 21
	case major == 24:
		return minor < 5
	}
	return major < 24
}
