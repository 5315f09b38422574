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

	"github.com/authsome/authsome/internal/regular"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/secret"
)

// shutdownTime is how long requests in flight may take after SIGTERM. Docker kills a
// container after 10 s by default.
const shutdownTime = 8 * time.Second

type proxyCmdOptions struct {
	proxyOptions
	listen       string
	admin        string
	adminHosts   []string
	caOut        string
	tokenFile    string
	requireToken bool
}

func newProxyCmd(a *app) *cobra.Command {
	o := &proxyCmdOptions{}
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Serve the proxy for other processes and containers",
		Long: `Proxy serves clients until SIGTERM or Ctrl-C, and then lets requests in flight
finish. SIGHUP makes it read the vault again, which it also does after every
change.

Clients on this machine that run as the same user need no token. All others send
a token as the password in the proxy URL: http://authsome:TOKEN@host:8080. If
--listen is not a loopback address, proxy does not start without a token.

The admin port serves /metrics, /healthz, /readyz and /ca.pem. None of them
contains a secret. It answers requests for an address, for a name without a dot,
such as that of a container, and for the names in --admin-host.`,
		Example: `  authsome proxy
  authsome proxy --listen 0.0.0.0:8080 --admin 0.0.0.0:9464 \
      --token-file /run/secrets/token --ca-out /trust/ca.pem`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveProxy(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "serve clients on `ADDRESS`")
	f.StringVar(&o.admin, "admin", "127.0.0.1:9464", "serve metrics and health on `ADDRESS`; an empty address turns it off")
	f.StringArrayVar(&o.adminHosts, "admin-host", nil, "also answer requests for the host `NAME` on the admin port; repeatable")
	f.StringVar(&o.caOut, "ca-out", "", "write the authority's certificate to `FILE`, which every user can read")
	f.StringVar(&o.tokenFile, "token-file", "", "read the clients' token from `FILE` (default: AUTHSOME_PROXY_TOKEN)")
	f.BoolVar(&o.requireToken, "require-token", false, "require the token from this user's own processes too")
	o.addFlags(cmd)
	return cmd
}

func serveProxy(ctx context.Context, a *app, o *proxyCmdOptions) error {
	token, err := o.token(a.Getenv)
	if err != nil {
		return err
	}
	if err := o.checkGuarded(token); err != nil {
		return err
	}
	options, _, err := a.sidecarOptions(ctx, "proxy", &o.proxyOptions)
	if err != nil {
		return err
	}
	options.Token, options.RequireToken = token, o.requireToken
	if _, options.Authority, err = a.storedAuthority(ctx); err != nil {
		return err
	}
	if o.caOut != "" {
		if err := durable.Replace(o.caOut, options.Authority.CertificatePEM(), 0o644); err != nil {
			return fmt.Errorf("write --ca-out %s: %w", o.caOut, fileCause(err))
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	options.Metrics = metrics.New(registry)
	options.Metrics.BuildInfo(buildVersion())
	// Open both addresses before anything is served.
	l, err := listen("--listen", o.listen)
	if err != nil {
		return err
	}
	var adminListener net.Listener
	if o.admin != "" {
		if adminListener, err = listen("--admin", o.admin); err != nil {
			l.Close()
			return err
		}
		options.Own = []net.Addr{adminListener.Addr()}
	}
	// Before anybody can see that the proxy is ready, and signal it.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	s := sidecar.New(options)
	if err := s.Start(ctx, l); err != nil {
		l.Close()
		if adminListener != nil {
			adminListener.Close()
		}
		return err
	}
	admin := serveAdmin(sidecar.AdminServer(s.Admin(registry), o.adminNames(), options.Log), adminListener)
	a.warnNotServed(s.Table())
	a.announce(s, l.Addr(), admin)
	self := audit.Event{PID: os.Getpid()}
	a.recordRun(audit.RunStart, "ok", self)
	err = waitProxy(ctx, a, s, admin, signals)
	signal.Stop(signals) // a second one ends the process immediately
	a.recordRun(audit.RunEnd, "ok", self)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := s.Drain(drain); err != nil {
		options.Log.Warn("closed connections that were still open", "err", err)
	}
	admin.close(drain)
	return err
}

// recordRun records the start or end of a proxy, or of the command of a run.
func (a *app) recordRun(event, outcome string, of audit.Event) {
	of.Event, of.Outcome = event, outcome
	if err := a.record(of); err != nil {
		a.Warnf("cannot record %s in the audit log: %v", event, err)
	}
}

// listen opens the address that a flag gives.
func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	next := suggest.Command("proxy %s HOST:PORT", flag)
	_, malformed := errors.AsType[*net.AddrError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	if malformed || unknown {
		return nil, exit.WithHint(exit.Usagef("%s %s: use HOST:PORT with an address of this machine", flag, address), next)
	}
	return nil, exit.WithHint(fmt.Errorf("listen on %s: %w", address, errors.Unwrap(err)), next)
}

// waitProxy returns when a signal ends the proxy.
func waitProxy(ctx context.Context, a *app, s *sidecar.Sidecar, admin *adminPort, signals <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.Failed():
			return fmt.Errorf("the proxy stopped serving: %w", err)
		case err := <-admin.failed:
			return fmt.Errorf("the admin port stopped serving: %w", err)
		case got := <-signals:
			if got != syscall.SIGHUP {
				return nil
			}
			if err := s.Reload(ctx); err != nil {
				a.Warnf("reload failed: %v", err)
			}
		}
	}
}

// maxToken limits the size of the file in --token-file, in bytes.
const maxToken = 64 << 10

// token reads the token from the file in --token-file, or else from the environment.
func (o *proxyCmdOptions) token(getenv func(string) string) (secret.String, error) {
	if o.tokenFile == "" {
		return secret.New(getenv("AUTHSOME_PROXY_TOKEN")), nil
	}
	b, err := regular.ReadNamed(o.tokenFile, maxToken)
	if err != nil {
		return secret.String{}, exit.Usagef("--token-file %s: %v", o.tokenFile, fileCause(err))
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return secret.String{}, exit.Usagef("--token-file %s is empty", o.tokenFile)
	}
	return secret.New(token), nil
}

// checkGuarded returns an error if neither a token nor the system would keep other
// users and machines out.
func (o *proxyCmdOptions) checkGuarded(token secret.String) error {
	if !token.IsZero() {
		return nil
	}
	withToken := suggest.Command("proxy --listen %s --token-file FILE", suggest.Words(o.listen))
	const noToken = "no token is set, neither by --token-file nor by AUTHSOME_PROXY_TOKEN"
	if o.requireToken {
		return exit.WithHint(exit.Usagef("--require-token was given, but %s", noToken), withToken.With("--require-token"))
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return exit.Usagef("--listen %s: use HOST:PORT", o.listen)
	}
	if !hosts.IsLoopback(host) {
		return exit.WithHint(exit.Usagef("--listen %s lets other machines connect, but %s", o.listen, noToken), withToken)
	}
	if err := intercept.KnowsPeers(); err != nil {
		return exit.WithHint(fmt.Errorf("this system does not say which user a connection belongs to (%w), and %s", err, noToken), withToken)
	}
	return nil
}

// adminNames are the hosts that the admin port answers for in addition to those that
// it always does.
func (o *proxyCmdOptions) adminNames() []string {
	host, _, err := net.SplitHostPort(o.admin)
	if err != nil {
		return o.adminHosts
	}
	return append([]string{host}, o.adminHosts...)
}

// adminPort serves metrics and health. If server is nil, it is turned off.
type adminPort struct {
	server *http.Server
	addr   net.Addr
	failed chan error    // gets the error if it stops serving before it is closed
	done   chan struct{} // closed when it has stopped serving
}

func serveAdmin(server *http.Server, l net.Listener) *adminPort {
	if l == nil {
		return &adminPort{}
	}
	p := &adminPort{server: server, addr: l.Addr(), failed: make(chan error, 1), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- err
		}
	}()
	return p
}

// close waits for requests in progress until ctx ends, and then closes their
// connections.
func (p *adminPort) close(ctx context.Context) {
	if p.server == nil {
		return
	}
	if p.server.Shutdown(ctx) != nil {
		p.server.Close()
	}
	<-p.done
}

// announce prints the addresses of the proxy.
func (a *app) announce(s *sidecar.Sidecar, proxy net.Addr, admin *adminPort) {
	out := struct {
		Proxy  string `json:"proxy"`
		Admin  string `json:"admin,omitzero"`
		Routes int    `json:"routes"`
	}{Proxy: proxy.String(), Routes: s.Table().Len()}
	if admin.addr != nil {
		out.Admin = admin.addr.String()
	}
	if a.JSON {
		a.PrintJSON(out)
		return
	}
	a.Infof("proxy on http://%s, intercepting %s", out.Proxy, show.Plural(out.Routes, "host"))
	if out.Admin != "" {
		a.Infof("metrics on http://%s/metrics, certificate on http://%s/ca.pem", out.Admin, out.Admin)
	}
	if out.Routes == 0 {
		a.Infof("no connections yet; a login takes effect immediately: %s", a.Suggest(suggest.Command("login PROVIDER")))
	}
}
