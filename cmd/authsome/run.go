package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// drainTime is how long requests may take to end once the child has ended.
const drainTime = 3 * time.Second

type runOptions struct {
	proxyOptions
	args  []string
	trust []string
}

// Runtimes that --trust knows.
const (
	runtimeJava = "java"
	runtimePHP  = "php"
)

// checkTrust refuses what is no runtime.
func (o *runOptions) checkTrust() error {
	for _, r := range o.trust {
		if r != runtimeJava && r != runtimePHP {
			return usageErrorf("--trust %s: %s and %s are known; every other client is looked after without it", r, runtimeJava, runtimePHP)
		}
	}
	return nil
}

func newRunCmd(app *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARGUMENT...]",
		Short: "Run a command whose API requests carry your credentials",
		Long: `Run starts COMMAND behind a proxy on loopback. Requests to the hosts of
connected providers get their credential there; every other host is relayed
unopened. The command's environment holds placeholders only.

The exit code is the command's own: 128 plus the signal's number when it was
killed, 126 and 127 as in a shell.`,
		Example: `  authsome run -- claude
  authsome run --provider github --unmatched deny -- python agent.py
  authsome run --connection github=work -- gh repo list`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(usageErrorf("run needs a command"), "authsome run -- COMMAND")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args = args
			return run(cmd.Context(), app, o)
		},
	}
	cmd.Flags().SetInterspersed(false) // flags behind the command are the command's
	o.addFlags(cmd)
	cmd.Flags().StringSliceVar(&o.trust, "trust", nil, "make the `RUNTIMES` java and php use and trust the proxy as well")
	return cmd
}

func run(ctx context.Context, app *app, o *runOptions) error {
	if app.getenv("AUTHSOME_PROXY_MODE") != "" {
		return withHint(fmt.Errorf("this is already running behind authsome"), "start %s without authsome run", o.args[0])
	}
	if err := o.checkTrust(); err != nil {
		return err
	}
	s, connections, err := assemble(ctx, app, &o.proxyOptions)
	if err != nil {
		return err
	}
	if s.Authority, err = ca.New(ca.Options{CommonName: "authsome run authority"}); err != nil {
		return fmt.Errorf("make the run's authority: %w", err)
	}
	proxyURL := &url.URL{Scheme: "http"}
	if err := intercept.KnowsPeers(); err != nil {
		app.log().Info("the proxy is guarded by a token", "because", err)
		token := rand.Text()
		s.Proxy.Token = secret.New(token)
		proxyURL.User = url.UserPassword("authsome", token)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen on loopback: %w", err)
	}
	proxyURL.Host = l.Addr().String()
	if err := s.Start(ctx, l); err != nil {
		l.Close()
		return err
	}
	defer func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := s.Drain(drain); err != nil {
			app.log().Info("requests were cut at the end of the run", "err", err)
		}
	}()
	app.warnUnrouted(s.Table())
	process, files, err := o.process(app, s, connections, proxyURL)
	defer func() { files.Close() }()
	if err != nil {
		return err
	}
	s.Audit.Record(audit.Event{Event: audit.RunStart, Profile: s.Profile, Outcome: "ok"})
	app.childHasTerminal.Store(true)
	code, err := process.Run(ctx)
	app.childHasTerminal.Store(false)
	s.Audit.Record(audit.Event{Event: audit.RunEnd, Profile: s.Profile, Outcome: fmt.Sprint("exit ", code)})
	if err != nil {
		app.warnf("%v", err)
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// warnUnrouted tells about connections that are there and cannot be used.
func (app *app) warnUnrouted(t *routing.Table) {
	for _, p := range t.Problems() {
		app.warnf("nothing is injected for %s: %v; %s", p.Provider, p.Err, app.here(loginCommand(p.Provider, "")+" --force"))
	}
}

// routedValues are what a provider's variables are made from: the values of the
// connection that has its routes.
func routedValues(table *routing.Table, connections []auth.Connection, provider string) providers.Values {
	for _, r := range table.Routes() {
		for _, c := range connections {
			if r.Provider == provider && c.Provider == provider && c.Name == r.Connection {
				return c.Values()
			}
		}
	}
	return nil
}

// assemble opens the profile and puts a sidecar together, all but its authority
// and its listener.
func assemble(ctx context.Context, app *app, o *proxyOptions) (*sidecar.Sidecar, []auth.Connection, error) {
	if app.getenv("GOGC") == "" {
		// What lives is a few MB, so collecting less often costs little memory.
		debug.SetGCPercent(300)
	}
	set, err := app.providers()
	if err != nil {
		return nil, nil, err
	}
	options, err := o.routing(func(name string) error { _, err := set.Lookup(name); return err })
	if err != nil {
		return nil, nil, err
	}
	settings, err := o.settings(app.getenv)
	if err != nil {
		return nil, nil, err
	}
	a, err := app.auth()
	if err != nil {
		return nil, nil, err
	}
	connections, err := a.Connections(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := checkNamed(options, connections, time.Now()); err != nil {
		return nil, nil, err
	}
	log, err := app.audit()
	if err != nil {
		return nil, nil, err
	}
	v, err := app.vault()
	if err != nil {
		return nil, nil, err
	}
	h, err := app.home()
	if err != nil {
		return nil, nil, err
	}
	if a.Profile != h.Config.DefaultProfile {
		settings.Profile = a.Profile
	}
	return &sidecar.Sidecar{
		Auth: a, Vault: v, Providers: app.loadProviders, Routing: options, Proxy: settings,
		Metrics: metrics.New(prometheus.NewRegistry()), Audit: log, AuditRequired: h.Config.Audit.OnFailure == home.AuditRefuse,
		Log: app.log(), Profile: a.Profile,
	}, connections, nil
}

// addRuntimes writes what --trust asks for.
func (o *runOptions) addRuntimes(app *app, files *child.Files, proxyURL *url.URL, roots ...[]byte) error {
	if slices.Contains(o.trust, runtimePHP) {
		if err := files.AddPHP(); err != nil {
			return err
		}
	}
	if !slices.Contains(o.trust, runtimeJava) {
		return nil
	}
	if proxyURL.User != nil {
		app.warnf("Java sends a proxy no token for https, and here the proxy needs one: its requests are refused")
	}
	store, err := ca.TrustStore(roots...)
	if err != nil {
		return err
	}
	return files.AddJava(store)
}

// process composes the child: its environment, and the files that it names.
func (o *runOptions) process(app *app, s *sidecar.Sidecar, connections []auth.Connection, proxyURL *url.URL) (child.Process, child.Files, error) {
	roots, err := ca.SystemRoots(app.getenv)
	if err != nil {
		return child.Process{}, child.Files{}, err
	}
	extra, err := ca.ExtraRoots(app.getenv)
	if err != nil {
		return child.Process{}, child.Files{}, err
	}
	own := s.Authority.CertificatePEM()
	files, err := child.WriteFiles(os.TempDir(), ca.Bundle(own, roots, extra), ca.Bundle(own, extra), child.UserWgetrc(app.getenv))
	if err != nil {
		return child.Process{}, child.Files{}, err
	}
	if err := o.addRuntimes(app, &files, proxyURL, own, roots, extra); err != nil {
		return child.Process{}, files, err
	}
	set, err := app.providers()
	if err != nil {
		return child.Process{}, files, err
	}
	table := s.Table()
	env := child.Environment{Parent: os.Environ(), Proxy: proxyURL, Files: files, Placeholders: make(map[string]string)}
	routed := make(map[string]bool)
	for _, r := range table.Routes() {
		routed[r.Provider] = true
		env.Hosts = append(env.Hosts, r.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(routed)) { // where two have a variable, always the same one
		if d, err := set.Lookup(name); err == nil {
			maps.Copy(env.Placeholders, d.Environment(routedValues(table, connections, name)))
		}
	}
	var exposed []string
	for _, d := range set.Reading(func(name string) bool { return app.getenv(name) != "" }) {
		if routed[d.Name] {
			continue
		}
		for _, v := range d.Variables() {
			if !v.Secret {
				continue
			}
			if app.getenv(v.Name) != "" {
				exposed = append(exposed, v.Name+" ("+d.Name+")")
			}
		}
	}
	// A variable that two providers read has a placeholder if one is routed.
	exposed = slices.DeleteFunc(exposed, func(s string) bool {
		name, _, _ := strings.Cut(s, " ")
		return env.Placeholders[name] != ""
	})
	environ, dropped := env.Environ()
	for _, d := range dropped {
		app.warnf("%s", d)
	}
	if len(exposed) > 0 {
		app.warnf("the command gets these keys as they are; authsome login PROVIDER takes them over: %s", strings.Join(slices.Compact(exposed), ", "))
	}
	if len(connections) == 0 {
		app.infof("nothing is connected, so nothing is injected: %s", app.here("authsome login PROVIDER"))
	}
	return child.Process{Args: o.args, Env: environ, Stdin: app.stdin, Stdout: app.stdout, Stderr: app.stderr}, files, nil
}
