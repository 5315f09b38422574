// Package signin is one login as a person goes through it: where values come from,
// what is asked in the browser or on the terminal, and what is said at the end.
//
// Package flows has the protocols, package auth stores the result. Its invariant: no
// secret is accepted as an argument, printed, or quoted in an error.
package signin

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// Options say how to log in.
type Options struct {
	Connection   string
	Flow         string   // if empty, the provider's usual one
	Scopes       []string // nil: the usual ones
	BaseURL      string
	Params       []string // NAME=VALUE
	ClientID     string
	Reset        bool // ask for the OAuth client again
	Force        bool // replace the connection if it exists
	NoBrowser    bool
	KeyStdin     bool // stdin has the one secret
	SecretsStdin bool // stdin has NAME=value lines
	NoVerify     bool // do not check the credential with the service
	Timeout      time.Duration
}

// Login is one login.
type Login struct {
	console   *console.Console
	o         Options
	d         *providers.Definition
	terminal  *terminal.Terminal // nil: there is nobody to ask
	browser   *loopback.Browser  // nil: no browser can be opened
	noBrowser error              // why

	given providers.Values // from flags and standard input
	known auth.Known
	flow  string

	page    *loopback.Server // nil until a browser is needed
	opened  bool             // the page is open in the browser
	notes   []string         // for the page at the end
	account flows.Account    // whose credential it is, as far as the flow found out
}

// New prepares a login. The error is about invalid options.
func New(c *console.Console, d *providers.Definition, o Options) (*Login, error) {
	l := &Login{console: c, o: o, d: d}
	if err := l.readOptions(); err != nil {
		return nil, err
	}
	l.terminal = c.Terminal()
	if o.NoBrowser {
		l.noBrowser = errors.New("--no-browser")
		return l, nil
	}
	l.browser, l.noBrowser = loopback.FindBrowser(environment(c.Getenv))
	return l, nil
}

// environment is what decides how a browser is opened.
func environment(getenv func(string) string) loopback.Environment {
	e := loopback.Environment{GOOS: runtime.GOOS, Getenv: getenv, LookPath: exec.LookPath}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.Release = string(release)
	}
	return e
}

// Run obtains a credential and stores it. [Login.Finish] must be called after it.
func (l *Login) Run(ctx context.Context, credentials *auth.Auth) (auth.Connection, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.Timeout, errTimeout)
	defer cancel()
	return credentials.Login(ctx, auth.LoginRequest{
		Provider: l.d.Name, Connection: l.o.Connection, BaseURL: l.baseURL(), Force: l.o.Force, Reset: l.o.Reset, Obtain: l.obtain,
	})
}

// obtain chooses the flow and runs it; see [auth.LoginRequest].
func (l *Login) obtain(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
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
	l.account = o.Token.Account
	return o, l.explain(ctx, err)
}

// checkFlow refuses a flow that the provider does not have.
func (l *Login) checkFlow() error {
	if l.o.Flow == "" || l.d.HasFlow(l.o.Flow) {
		return nil
	}
	return exit.WithCommand(exit.Usagef("%s does not support the flow %s; it supports %s", l.d.Name, l.o.Flow, strings.Join(l.d.Flows, ", ")), "login %s --flow %s", l.d.Name, l.d.Flows[0])
}

// chooseFlow takes the flow that the user asked for, else the provider's usual one. If
// that needs a browser and none can be opened here, the device flow is better: it
// works with a browser on another machine.
func (l *Login) chooseFlow() {
	if l.flow = l.o.Flow; l.flow != "" {
		return
	}
	l.flow = l.d.Flows[0]
	inBrowser := l.flow == providers.FlowPKCE || l.flow == providers.FlowDCRPKCE
	if inBrowser && l.browser == nil && l.d.HasFlow(providers.FlowDeviceCode) {
		l.console.Infof("%v: using a sign-in code (--flow %s for a link)", l.noBrowser, l.flow)
		l.flow = providers.FlowDeviceCode
	}
}

// scopes are the ones to ask for; nil means those of the definition.
func (l *Login) scopes() []string {
	if l.o.Scopes == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.o.Scopes), func(s string) bool { return s == "" })
}
