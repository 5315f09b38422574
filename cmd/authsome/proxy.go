package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/secret"
)

// Times of the appliance's end: how long requests in flight may take after
// SIGTERM (docker kills after 10 s by default), and how long an authority that
// is stored lasts.
const (
	shutdownTime            = 8 * time.Second
	storedAuthorityLifetime = 10 * 365 * 24 * time.Hour
)

type proxyCmdOptions struct {
	proxyOptions
	listen       string
	admin        string
	caOut        string
	tokenFile    string
	requireToken bool
}

func newProxyCmd(app *app) *cobra.Command {
	o := &proxyCmdOptions{}
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Serve the proxy for other processes and containers",
		Long: `Proxy serves until it is told to end: SIGTERM lets requests in flight finish,
SIGHUP reads the vault again (it also notices changes by itself).

Clients on this machine that run as the same user need no token. Others present
one as the password in the proxy URL: http://authsome:TOKEN@host:8080. Off
loopback it does not start without a token.

The admin port has /metrics, /healthz, /readyz and /ca.pem, and no secret.`,
		Example: `  authsome proxy
  authsome proxy --listen 0.0.0.0:8080 --admin 0.0.0.0:9464 --token-file /run/secrets/token --ca-out /trust/ca.pem`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveProxy(cmd.Context(), app, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "serve clients on `ADDRESS`")
	f.StringVar(&o.admin, "admin", "127.0.0.1:9464", "serve metrics and health on `ADDRESS`; empty for none")
	f.StringVar(&o.caOut, "ca-out", "", "write the authority's certificate to `FILE`, readable by all")
	f.StringVar(&o.tokenFile, "token-file", "", "read the clients' token from `FILE` (default: AUTHSOME_PROXY_TOKEN)")
	f.BoolVar(&o.requireToken, "require-token", false, "ask this user's own processes for the token too")
	o.addFlags(cmd)
	return cmd
}

func serveProxy(ctx context.Context, app *app, o *proxyCmdOptions) error {
	token, err := o.token(app.getenv)
	if err != nil {
		return err
	}
	if err := o.checkGuarded(token); err != nil {
		return err
	}
	options, _, err := assemble(ctx, app, &o.proxyOptions)
	if err != nil {
		return err
	}
	options.Token, options.RequireToken = token, o.requireToken
	profile, err := app.profile()
	if err != nil {
		return err
	}
	options.Authority, err = openAuthority(ctx, options.Vault, profile)
	if err != nil {
		return err
	}
	if o.caOut != "" {
		if err := durable.Replace(o.caOut, options.Authority.CertificatePEM(), 0o644); err != nil {
			return fmt.Errorf("write --ca-out: %w", err)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	options.Metrics = metrics.New(registry)
	options.Metrics.BuildInfo(buildVersion())
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return withHint(fmt.Errorf("listen: %w", err), "authsome proxy --listen HOST:PORT")
	}
	// Both addresses are known to be free before anything serves.
	adminListener, err := o.listenAdmin()
	if err != nil {
		l.Close()
		return err
	}
	s := sidecar.New(options)
	if err := s.Start(ctx, l); err != nil {
		l.Close()
		if adminListener != nil {
			adminListener.Close()
		}
		return err
	}
	admin, adminFailed := app.serveAdmin(s, registry, adminListener)
	app.warnUnrouted(s.Table())
	app.announce(s, l.Addr(), admin)
	options.Audit.Record(audit.Event{Event: audit.RunStart, Profile: options.Profile, Outcome: "ok"})
	err = waitProxy(ctx, app, s, adminFailed)
	options.Audit.Record(audit.Event{Event: audit.RunEnd, Profile: options.Profile, Outcome: "ok"})
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if cut := s.Drain(drain); cut != nil {
		app.log().Warn("connections were cut at the end", "err", cut)
	}
	if admin != nil {
		admin.Close()
	}
	return err
}

// waitProxy returns when the proxy is told to end. A second signal ends the
// process at once, since the first one is no longer caught by then.
func waitProxy(ctx context.Context, app *app, s *sidecar.Sidecar, adminFailed <-chan error) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.Failed():
			return fmt.Errorf("the proxy stopped serving: %w", err)
		case err := <-adminFailed:
			return fmt.Errorf("the admin port stopped serving: %w", err)
		case got := <-signals:
			if got != syscall.SIGHUP {
				return nil
			}
			if err := s.Reload(ctx); err != nil {
				app.warnf("reload failed: %v", err)
			}
		}
	}
}

// token comes from the file named, else from the environment.
func (o *proxyCmdOptions) token(getenv func(string) string) (secret.String, error) {
	if o.tokenFile == "" {
		return secret.New(getenv("AUTHSOME_PROXY_TOKEN")), nil
	}
	b, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return secret.String{}, usageErrorf("--token-file: %v", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return secret.String{}, usageErrorf("--token-file %s is empty", o.tokenFile)
	}
	return secret.New(token), nil
}

// checkGuarded refuses to serve whoever comes.
func (o *proxyCmdOptions) checkGuarded(token secret.String) error {
	const hint = "authsome proxy --listen %s --token-file FILE"
	if !token.IsZero() {
		return nil
	}
	if o.requireToken {
		return withHint(usageErrorf("--require-token without a token, from --token-file or AUTHSOME_PROXY_TOKEN"), hint+" --require-token", o.listen)
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return usageErrorf("--listen %s: write it as HOST:PORT", o.listen)
	}
	if !hosts.IsLoopback(host) {
		return withHint(usageErrorf("--listen %s is open to others, and there is no token, from --token-file or AUTHSOME_PROXY_TOKEN", o.listen), hint, o.listen)
	}
	if err := intercept.KnowsPeers(); err != nil {
		return withHint(fmt.Errorf("cannot tell whose a connection is, and there is no token, from --token-file or AUTHSOME_PROXY_TOKEN: %w", err), hint, o.listen)
	}
	return nil
}

// listenAdmin is nil where there is to be no admin port.
func (o *proxyCmdOptions) listenAdmin() (net.Listener, error) {
	if o.admin == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", o.admin)
	if err != nil {
		return nil, withHint(fmt.Errorf("listen for the admin port: %w", err), "authsome proxy --admin HOST:PORT")
	}
	return l, nil
}

func (app *app) serveAdmin(s *sidecar.Sidecar, g prometheus.Gatherer, l net.Listener) (*adminPort, <-chan error) {
	if l == nil {
		return nil, nil
	}
	server := sidecar.AdminServer(s.Admin(g), app.log())
	failed := make(chan error, 1)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return &adminPort{server, l.Addr()}, failed
}

type adminPort struct {
	*http.Server
	addr net.Addr
}

// announce says where the proxy serves, once it does.
func (app *app) announce(s *sidecar.Sidecar, proxy net.Addr, admin *adminPort) {
	out := struct {
		Proxy  string `json:"proxy"`
		Admin  string `json:"admin,omitzero"`
		Routes int    `json:"routes"`
	}{Proxy: proxy.String(), Routes: s.Table().Len()}
	if admin != nil {
		out.Admin = admin.addr.String()
	}
	if app.json {
		app.printJSON(out)
		return
	}
	app.infof("proxy on http://%s, %d routes", out.Proxy, out.Routes)
	if admin != nil {
		app.infof("metrics on http://%s/metrics, certificate on http://%s/ca.pem", out.Admin, out.Admin)
	}
	if out.Routes == 0 {
		app.infof("no provider is connected yet: authsome login PROVIDER, and it is used at once")
	}
}
