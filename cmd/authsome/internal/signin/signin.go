// Package signin is one login as a person goes through it: where values come from,
// what is asked in the browser or on the terminal, and what is shown at the end.
//
// Package flows has the protocols, and package auth stores the result. The invariant
// of this package: no secret is accepted as an argument, printed, or quoted in an
// error.
package signin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// Login is one login. It is not safe for concurrent use.
type Login struct {
	console   *console.Console
	o         Options
	d         *providers.Definition
	terminal  *terminal.Terminal // nil if stdin is not a terminal
	browser   *loopback.Browser  // nil if no browser can be opened
	noBrowser error              // why browser is nil

	given       map[string]givenValue // from flags and standard input, by name
	known       auth.Known
	flow        string
	chosen      bool // the flow, by the user
	mayBePurged bool // the server may not have the OAuth client
	hasToken    bool // a token of Options.Token works, under the name of the connection
	keyRead     bool // --key-stdin was read

	redirectURL string // that the authorization server is told; empty for other flows
	ownRedirect bool   // the user's client must be registered with redirectURL
	elsewhere   bool   // redirectURL is a page that this login does not serve

	unstored *flows.Config // has the client that this login registered; nil if none

	page            *loopback.Server // nil until a browser is needed
	opened          bool             // the page is open in the browser
	cancelledOnPage bool             // by the user
	notes           []string         // for the page at the end
	account         flows.Account    // of the credential, as far as the flow found out
}

// New prepares a login to the provider d. It reads standard input if the options say
// so. The error is about the options and their values.
func New(c *console.Console, d *providers.Definition, o Options) (*Login, error) {
	l := &Login{console: c, o: o, d: d}
	if err := l.readOptions(); err != nil {
		return nil, err
	}
	l.terminal = c.Terminal()
	if o.NoBrowser {
		l.noBrowser = errors.New("--no-browser is set")
		return l, nil
	}
	l.browser, l.noBrowser = loopback.FindBrowser(environment(c.Getenv))
	return l, nil
}

// environment is what [loopback.FindBrowser] needs to know about this machine.
func environment(getenv func(string) string) loopback.Environment {
	e := loopback.Environment{GOOS: runtime.GOOS, Getenv: getenv, LookPath: exec.LookPath}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.Release = string(release)
	}
	return e
}

// Run obtains a credential and stores it as a connection. The caller calls
// [Login.Finish] after it. An error of Ctrl-C wraps [terminal.ErrInterrupted].
func (l *Login) Run(ctx context.Context, credentials *auth.Auth) (auth.Connection, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.Timeout, errTimeout)
	defer cancel()
	asked := l.d
	l.hasToken = l.findToken(ctx, credentials)
	c, err := l.logIn(ctx, credentials)
	for err != nil {
		if errors.Is(err, errOtherProvider) {
			l.d = l.o.Token
		} else if errors.Is(err, loopback.ErrBack) {
			l.d = asked
		} else {
			break
		}
		c, err = l.logIn(ctx, credentials)
	}
	if err != nil {
		l.deregister(ctx)
	}
	if e, ok := errors.AsType[*auth.ConnectedError](err); ok {
		err = l.connected(ctx, credentials, e, err)
	}
	return c, err
}

func (l *Login) logIn(ctx context.Context, credentials *auth.Auth) (auth.Connection, error) {
	if err := l.keepAddress(ctx, credentials); err != nil {
		return auth.Connection{}, err
	}
	return credentials.Login(ctx, auth.LoginRequest{
		Provider: l.d.Name, Connection: l.o.Connection, BaseURL: l.baseURL(), Scopes: l.scopes(), Force: l.o.Force, Reset: l.o.Reset, Obtain: l.obtain,
	})
}

// Provider is the name of the provider that the credential is for. After Run it can
// differ from that of the definition: see Options.Token.
func (l *Login) Provider() string { return l.d.Name }

// obtain chooses a flow and runs it; see [auth.LoginRequest].
func (l *Login) obtain(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
	l.d, l.known = d, known
	if err := l.chooseFlow(ctx); err != nil {
		return flows.Obtained{}, l.explain(ctx, err)
	}
	l.d = d.ForFlow(l.flow)
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
	err := exit.Usagef("%s does not support the flow %s; it supports %s", l.d.Name, l.o.Flow, strings.Join(l.d.Flows, ", "))
	l.o.Flow = l.d.Flows[0]
	return exit.WithHint(err, l.repeat(""))
}

// chooseFlow uses the flow that the user asked for, on the command line or when asked,
// else the provider's usual one. If that flow needs a browser and none can be opened
// here, it uses the device flow if the provider has it, which works with a browser on
// another machine.
func (l *Login) chooseFlow(ctx context.Context) error {
	if l.flow = l.o.Flow; l.flow != "" {
		return nil
	}
	l.flow = l.usualFlow()
	if l.o.RedirectURL != "" {
		l.flow = l.d.Flows[slices.IndexFunc(l.d.Flows, inBrowser)] // see checkRedirectURL
		return nil
	}
	if ways := l.ways(); ways != nil {
		return l.choose(ctx, ways)
	}
	if inBrowser(l.flow) && l.browser == nil && l.d.HasFlow(providers.FlowDeviceCode) {
		l.console.Infof("%s", wrapped(fmt.Sprintf("%v; using a sign-in code (use --flow %s for a link)", l.noBrowser, l.flow)))
		l.flow = providers.FlowDeviceCode
	}
	return nil
}

// usualFlow is the provider's usual flow, or that for a key if a key was given.
func (l *Login) usualFlow() string {
	given := l.isGiven(valueKey) || l.o.KeyStdin && l.o.ClientID == ""
	switch usual := l.d.Flows[0]; {
	case given && l.d.HasFlow(providers.FlowAPIKey):
		return providers.FlowAPIKey
	case usual == providers.FlowDCRPKCE && l.d.HasFlow(providers.FlowPKCE) && l.hasClient(providers.FlowPKCE):
		return providers.FlowPKCE
	default:
		return usual
	}
}

// isGiven reports whether a value was given, or is in the environment.
func (l *Login) isGiven(name string) bool {
	if _, ok := l.given[name]; ok {
		return true
	}
	return slices.ContainsFunc(l.variables(name), func(v providers.Variable) bool {
		value := l.console.Getenv(v.Name)
		return value != "" && !providers.HasPlaceholder(value)
	})
}

// hasClient reports whether a client for a flow was given, or is known from earlier logins.
func (l *Login) hasClient(flow string) bool {
	if l.isGiven(valueClientID) {
		return true
	}
	issuer, err := l.d.ForFlow(flow).Issuer(nil)
	return err == nil && l.known.Client(issuer, "").ID != ""
}

// scopes are the scopes to ask for; nil means those of the definition.
func (l *Login) scopes() []string {
	if l.o.Scopes == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.o.Scopes), func(s string) bool { return s == "" })
}
