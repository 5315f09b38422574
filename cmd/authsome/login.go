package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

type loginOptions struct {
	provider     string
	connection   string
	flow         string
	scopes       []string // nil: as the provider says
	scopesGiven  bool
	baseURL      string
	params       []string
	clientID     string
	reset        bool
	force        bool
	noBrowser    bool
	keyStdin     bool
	secretsStdin bool
	noVerify     bool
	timeout      time.Duration
}

func newLoginCmd(a *app) *cobra.Command {
	o := &loginOptions{}
	cmd := &cobra.Command{
		Use: "login [PROVIDER]", Short: "Connect a provider",
		Long: `Login obtains a credential and seals it in the vault: by signing in at the
provider in a browser, or with a key that you have.

Keys and other values are taken from standard input with --key-stdin or
--secrets-stdin, else from the variables that the provider's clients read, else
asked for: in a form in the browser, or on the terminal where no browser can be
shown. BROWSER names the browser to use. Over SSH the device flow is used where
the provider has it; otherwise the address to open is printed, and the one that
the browser ends at can be pasted back.

No secret is accepted as an argument: other users could see it there.

The first connection of a provider becomes its default. Without PROVIDER, login
lists the providers whose keys are in variables of the environment.`,
		Example: `  authsome login github
  authsome login openai --connection work --key-stdin < key.txt
  authsome login mcp --base-url https://mcp.example.com/mcp
  authsome login`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return withHint(usageErrorf("login takes a PROVIDER, and no secret as an argument"), "authsome login %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return suggestLogins(cmd.Context(), a)
			}
			o.provider = args[0]
			o.scopesGiven = cmd.Flags().Changed("scopes")
			return interruptible(cmd.Context(), a, func(ctx context.Context) error { return login(ctx, a, o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.connection, "connection", auth.DefaultName, "call the connection `NAME`")
	f.StringVar(&o.flow, "flow", "", "obtain the credential by `FLOW` (default: the provider's usual one)")
	f.StringSliceVar(&o.scopes, "scopes", nil, "ask for the scopes `A,B` in place of the usual ones")
	f.StringVar(&o.baseURL, "base-url", "", "the service's own address, as `URL`, where it is not the provider's")
	f.StringArrayVar(&o.params, "param", nil, "a value that the provider's addresses need, as `NAME=VALUE`; repeatable, not for secrets")
	f.StringVar(&o.clientID, "client-id", "", "the OAuth client `ID` that you registered with the provider")
	f.BoolVar(&o.reset, "reset", false, "ask for the OAuth client again")
	f.BoolVar(&o.force, "force", false, "replace the connection if there is one")
	f.BoolVar(&o.noBrowser, "no-browser", false, "open no browser: print the address, ask on the terminal")
	f.BoolVar(&o.keyStdin, "key-stdin", false, "read the one secret, such as the key, from standard input")
	f.BoolVar(&o.secretsStdin, "secrets-stdin", false, "read NAME=value lines from standard input")
	f.BoolVar(&o.noVerify, "no-verify", false, "do not ask the service whether the credential is good")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after `DURATION`")
	return cmd
}

// interruptible runs fn with a context that Ctrl-C ends; the second one ends the
// process.
func interruptible(ctx context.Context, a *app, fn func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := fn(ctx)
	if err != nil && (errors.Is(err, errInterrupted) || ctx.Err() != nil) {
		a.infof("cancelled, and nothing was stored")
		return exitCode(128 + int(syscall.SIGINT))
	}
	return err
}

func login(ctx context.Context, a *app, o *loginOptions) error {
	if err := home.ValidateName(o.connection); err != nil {
		return usageErrorf("--connection: %v", err)
	}
	set, err := a.providers()
	if err != nil {
		return err
	}
	d, err := set.Lookup(o.provider)
	if err != nil {
		return err
	}
	l := &loginRun{a: a, o: o, d: d}
	if err := l.readOptions(); err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	a.proposeImport(ctx)
	l.terminal = a.openTerminal()
	defer l.terminal.close()
	if o.noBrowser {
		l.noBrowser = errors.New("--no-browser")
	} else if l.browser, err = loopback.FindBrowser(a.environment()); err != nil {
		l.noBrowser = err
	}
	limited, cancel := context.WithTimeoutCause(ctx, o.timeout, errTimeout)
	defer cancel()
	c, err := credentials.Login(limited, auth.LoginRequest{
		Provider: d.Name, Connection: o.connection, BaseURL: l.baseURL(), Force: o.force, Reset: o.reset, Obtain: l.obtain,
	})
	outcome := "ok"
	switch {
	case errors.Is(err, errInterrupted) || ctx.Err() != nil && err != nil:
		outcome = "cancelled"
	case err != nil:
		outcome = judge(err).name
	}
	if recordErr := a.record(audit.Event{Event: audit.Login, Provider: d.Name, Connection: o.connection, Outcome: outcome}); err == nil {
		err = recordErr
	}
	l.finish(ctx, c, err)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Provider   string         `json:"provider"`
			Connection connectionView `json:"connection"`
		}{d.Name, a.viewConnection(c)})
	}
	as := ""
	if account := l.accountName(c); account != "" {
		as = ", account " + account
	}
	a.infof("%s is connected as %s%s", d.Name, c.Name, as)
	return nil
}

// environment is what decides how a page is shown here.
func (a *app) environment() loopback.Environment {
	e := loopback.Environment{GOOS: runtime.GOOS, Getenv: a.getenv, LookPath: exec.LookPath}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.Release = string(release)
	}
	return e
}

// tellf says what a person has to know to go on, also with --quiet.
func (a *app) tellf(format string, args ...any) {
	fmt.Fprintf(a.stderr, "authsome: "+format+"\n", args...)
}

// loginRun is one login on its way.
type loginRun struct {
	a         *app
	o         *loginOptions
	d         *providers.Definition
	terminal  *terminal         // nil: nobody can be asked here
	browser   *loopback.Browser // nil: none can be shown
	noBrowser error             // why

	given providers.Values // from flags and standard input
	known auth.Known
	flow  string

	page   *loopback.Server // nil until a browser is needed
	opened bool
	notes  []string // for the page at the end
	by     flows.Account
}

// obtain chooses the flow and runs it. It is what [auth.LoginRequest] asks for.
func (l *loginRun) obtain(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
	l.d, l.known = d, known
	l.chooseFlow()
	var o flows.Obtained
	var err error
	switch l.flow {
	case providers.FlowAPIKey:
		o, err = l.apiKey(ctx)
	case providers.FlowDeviceCode:
		o, err = l.device(ctx)
	case providers.FlowPKCE, providers.FlowDCRPKCE:
		o, err = l.authorize(ctx)
	default:
		o, err = l.grant(ctx)
	}
	o.Flow = l.flow
	l.by = o.Token.Account
	return o, l.explain(ctx, err)
}

// checkFlow refuses a flow that the provider does not have.
func (l *loginRun) checkFlow() error {
	if l.o.flow == "" || l.d.HasFlow(l.o.flow) {
		return nil
	}
	return withHint(usageErrorf("%s has no flow %s, but %s", l.d.Name, l.o.flow, strings.Join(l.d.Flows, ", ")), "authsome login %s --flow %s", l.d.Name, l.d.Flows[0])
}

// chooseFlow takes the one that is asked for, else the provider's usual one.
// Where no browser can be shown, the device flow is the better of the two that
// need one: the user's browser is elsewhere.
func (l *loginRun) chooseFlow() {
	if l.flow = l.o.flow; l.flow != "" {
		return
	}
	l.flow = l.d.Flows[0]
	inBrowser := l.flow == providers.FlowPKCE || l.flow == providers.FlowDCRPKCE
	if inBrowser && l.browser == nil && l.d.HasFlow(providers.FlowDeviceCode) {
		l.a.infof("%v: sign in by a code (--flow %s prints the address instead)", l.noBrowser, l.flow)
		l.flow = providers.FlowDeviceCode
	}
}

// scopes are what to ask for; nil means what the provider's definition says.
func (l *loginRun) scopes() []string {
	if !l.o.scopesGiven {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.o.scopes), func(s string) bool { return s == "" })
}
