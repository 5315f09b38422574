package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/runs"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// drainTime is how long requests in flight may take after the child has ended.
const drainTime = 3 * time.Second

type runOptions struct {
	proxyOptions
	isolateOptions
	args  []string
	trust []string
}

func newRunCmd(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARGUMENT...]",
		Short: "Run a command whose API requests carry your credentials",
		Long: `Run starts COMMAND behind a proxy on loopback. Requests to the hosts of
connected providers are intercepted and get their credential there; all other
hosts are passed through. The command's environment has placeholders instead of
keys.

The exit code is the command's: 128 plus the number of the signal if it was
killed, 126 if it cannot be executed, and 127 if it is not found, as in a shell.`,
		Example: `  authsome run -- claude
  authsome run --provider github --unmatched deny -- python agent.py
  authsome run --connection github=work -- gh repo list`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exit.WithCommand(exit.Usagef("run needs a command"), "run -- COMMAND")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args = args
			return run(cmd.Context(), a, o)
		},
	}
	cmd.Flags().SetInterspersed(false) // flags after the command are the command's
	o.proxyOptions.addFlags(cmd)
	o.isolateOptions.addFlags(cmd)
	cmd.Flags().StringSliceVar(&o.trust, "trust", nil, "make the `RUNTIMES` use and trust the proxy too: "+child.RuntimeNames()+"; repeatable")
	return cmd
}

func run(ctx context.Context, a *app, o *runOptions) error {
	if err := checkTrust(o.trust); err != nil {
		return err
	}
	f, err := a.beginFence(ctx, &o.isolateOptions)
	if err != nil {
		return err
	}
	defer f.close()
	options, connections, err := a.sidecarOptions(ctx, "run", &o.proxyOptions)
	if err != nil {
		return err
	}
	if options.Authority, err = ca.New(ca.Options{CommonName: "authsome run authority " + shortRun(options.Audit.Run())}); err != nil {
		return fmt.Errorf("create the authority of this run: %w", err)
	}
	if f != nil {
		if f, err = f.prepare(ctx, &options, connections); err != nil {
			return err
		}
	}
	l, proxyURL, err := listenFor(f, &options)
	if err != nil {
		return err
	}
	options.Usage = &sidecar.Usage{}
	s := sidecar.New(options)
	if err := s.Start(ctx, l); err != nil {
		l.Close()
		return err
	}
	drain := sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := s.Drain(ctx); err != nil {
			options.Log.Info("closed connections that were still open at the end of the run", "err", err)
		}
	})
	defer drain()
	leave, err := a.listRun()
	if err != nil {
		return err
	}
	defer leave()
	a.warnNotServed(s.Table())
	c := &childSetup{app: a, table: s.Table(), credentials: options.Auth, connections: connections, proxy: proxyURL, authority: options.Authority, trust: o.trust}
	defer c.close()
	env, err := c.environ(ctx)
	if err != nil {
		return err
	}
	restore := a.Redirect(func(text string) { options.Log.Info(text) })
	code, err := a.runCommand(ctx, s, child.Process{Args: o.args, Env: env, Stdin: a.In, Stdout: a.Out, Stderr: a.Err, Fence: f.process()})
	restore()
	if err != nil {
		return exit.WithCode(err, code)
	}
	drain() // first, so that the report has the last requests
	used := options.Usage.Report()
	(&runReport{app: a, command: o.args, trust: o.trust, code: code, id: options.Audit.Run(), placeholders: c.placeholders, used: used, isolated: f != nil, blocked: f.blockedLines(used.NotAllowed)}).print()
	if code != 0 {
		return exit.CodeError(code)
	}
	return nil
}

// listenFor returns the listener for clients that know the proxy, and the URL that they get.
func listenFor(f *fence, options *sidecar.Options) (net.Listener, *url.URL, error) {
	proxyURL := &url.URL{Scheme: "http"}
	if f != nil {
		proxyURL.Host = f.Proxy.Addr().String()
		return f.Proxy, proxyURL, nil
	}
	if err := intercept.KnowsPeers(); err != nil {
		options.Log.Info("a token guards the proxy", "because", err)
		token := rand.Text()
		options.Token = secret.New(token)
		proxyURL.User = url.UserPassword("authsome", token)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen on loopback: %w", err)
	}
	proxyURL.Host = l.Addr().String()
	return l, proxyURL, nil
}

// runCommand runs the command of a run and returns its exit code. It records when the
// command starts and ends.
func (a *app) runCommand(ctx context.Context, s *sidecar.Sidecar, p child.Process) (code int, err error) {
	var command audit.Event // its name is recorded only if it is a program: a person may have typed anything
	p.Started = func(pid int) {
		name := filepath.Base(p.Args[0])
		command = audit.Event{Command: name, Agent: name, PID: pid}
		outcome := "ok"
		if p.Fence != nil {
			outcome = "ok: isolated"
		}
		a.recordRun(audit.RunStart, outcome, command)
	}
	code, err = whileServing(ctx, s, p)
	a.recordRun(audit.RunEnd, fmt.Sprint("exit ", code), command)
	return code, err
}

// listRun lists this process as a run, so that commands that it starts, directly or not,
// know that they are behind the proxy.
func (a *app) listRun() (leave func(), err error) {
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	return runs.Enter(h.Dir, p.Name)
}

// whileServing runs the command and returns its exit code. If the proxy fails, it ends
// the command, which could reach no service any more, and returns the proxy's error.
func whileServing(ctx context.Context, s *sidecar.Sidecar, p child.Process) (code int, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case failure := <-s.Failed():
			end(fmt.Errorf("the proxy stopped serving, so %s was ended: %w", p.Args[0], failure))
		case <-ctx.Done():
		}
	}()
	code, err = p.Run(ctx)
	end(nil)
	<-watched
	if failure := context.Cause(ctx); !errors.Is(failure, context.Canceled) {
		return exit.Error, failure
	}
	return code, err
}

// warnConnected reports what is wrong with the definitions of connections.
func (a *app) warnConnected(set *providers.Set, connections []auth.Connection) {
	warned := make(map[string]bool)
	for _, c := range connections {
		if !warned[c.Provider] {
			warned[c.Provider] = true
			a.warnDefinitions(set.ProblemsOf(c.Provider))
		}
	}
}

// warnNotServed reports connections whose requests are not intercepted because their
// hosts are unknown or invalid, and hosts whose requests are refused because several
// connections match.
func (a *app) warnNotServed(t *routing.Table) {
	for _, p := range t.Problems() {
		a.Warnf("requests to %s/%s get no credential: %v; log in again: %s", p.Provider, p.Connection, p.Err, a.Suggest(suggest.Relogin(p.Provider, p.Connection)))
	}
	for _, c := range explain.Contests(t) {
		if c.Ambiguous() {
			a.Warnf("%s: %s", c, a.Suggest(c.Fix()))
		}
	}
}

// sidecarOptions returns the options of the proxy of a command, run or proxy, for the
// profile in use, without its authority and token, and the profile's connections.
func (a *app) sidecarOptions(ctx context.Context, command string, o *proxyOptions) (sidecar.Options, []auth.Connection, error) {
	if a.Getenv("GOGC") == "" {
		// A few MB are live, so collecting less often costs little memory.
		debug.SetGCPercent(300)
	}
	var none sidecar.Options
	set, err := a.providers()
	if err != nil {
		return none, nil, err
	}
	options, err := o.sidecar(a.Getenv, set)
	if err != nil {
		return none, nil, err
	}
	p, err := a.profile()
	if err != nil {
		return none, nil, err
	}
	if options.Auth, err = p.Auth(); err != nil {
		return none, nil, err
	}
	connections, err := options.Auth.Connections(ctx)
	if err != nil {
		return none, nil, err
	}
	a.warnConnected(set, connections)
	a.warnWaiting(options.Auth, connections)
	if err := checkNamed(options.Routing, connections, time.Now()); err != nil {
		return none, nil, err
	}
	table, err := sidecar.Table(ctx, options.Auth, connections, options.Routing)
	if err != nil {
		return none, nil, err
	}
	if err := checkChosen(options.Routing, table); err != nil {
		return none, nil, err
	}
	a.suggestImport(ctx) // execute does if a credential is missing
	if options.Audit, err = p.Audit(); err != nil {
		return none, nil, err
	}
	if options.Vault, err = p.Vault(); err != nil {
		return none, nil, err
	}
	h, err := a.home()
	if err != nil {
		return none, nil, err
	}
	profile := p.Name
	if profile == h.Config.DefaultProfile {
		profile = "" // commands need not name it
	}
	options.Fix = explain.Fix(profile)
	options.AuditRequired = h.Config.Audit.OnFailure == home.AuditRefuse
	options.Providers, options.Log, options.Profile = a.opener().LoadProviders, a.opener().Log(), p.Name
	options.Rejections, options.Self = p.Rejections(), a.runForClients(command, o)
	return options, connections, nil
}
