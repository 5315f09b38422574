package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/signin"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
)

func newLoginCmd(a *app) *cobra.Command {
	var o signin.Options
	cmd := &cobra.Command{
		Use: "login [PROVIDER]", Short: "Obtain a credential and store it",
		Long: `Login obtains a credential and stores it in the vault. Either you sign in at the
provider in a browser, or you enter a key that you have.

Keys and other values are read from standard input with --key-stdin or
--secrets-stdin, else from the variables that the provider's clients read.
Otherwise you are asked for them: in a form in the browser, or on the terminal
if no browser can be opened. BROWSER names the browser to use.

A provider that does not know authsome needs a token, or an OAuth client that
you register. You are asked which, and shown the steps.

Over SSH you sign in with a short code if the provider supports it. Otherwise
the address to open is printed, and you can paste the address of the last page.

Secrets are not accepted as arguments, because other users could see them.

The first connection of a provider becomes its default. One that works is
replaced only with --force or other --scopes. Without PROVIDER, login lists the
keys that it finds in the environment, and offers to store them.`,
		Example: `  authsome login github
  authsome login openai --connection work --key-stdin < key.txt
  authsome login mcp --base-url https://mcp.example.com/mcp
  authsome login`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exit.WithHint(exit.Usagef("login takes one PROVIDER; secrets are not accepted as arguments, because other users can see them"), a.loginWith(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Timeout <= 0 {
				return exit.Usagef("--timeout %v: use %s", o.Timeout, flagForms["duration"])
			}
			if len(args) == 0 {
				return suggestLogins(cmd.Context(), a)
			}
			if !cmd.Flags().Changed("scopes") {
				o.Scopes = nil
			} else if o.Scopes == nil {
				o.Scopes = []string{}
			}
			return cancellable(cmd.Context(), a, func(ctx context.Context) error { return login(ctx, a, args[0], o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Connection, "connection", auth.DefaultName, "store the credential as the connection `NAME`")
	f.StringVar(&o.Flow, "flow", "", "use `FLOW` to obtain the credential (default: the provider's usual one)")
	f.StringSliceVar(&o.Scopes, "scopes", nil, "request the scopes `A,B` instead of the usual ones")
	f.StringVar(&o.BaseURL, "base-url", "", "use the service at `URL`, for example your own instance")
	f.StringArrayVar(&o.Params, "param", nil, "set a value that the provider needs, as `NAME=VALUE`; repeatable, not for secrets")
	f.StringVar(&o.ClientID, "client-id", "", "use the OAuth client `ID` that you registered with the provider")
	f.BoolVar(&o.AllowNoPKCE, "allow-no-pkce", false, "accept an MCP server that does not announce PKCE: an intercepted sign-in code may then be usable")
	f.StringVar(&o.RedirectURL, "redirect-url", "", "use the redirect `URL` that the OAuth client is registered with, such as http://localhost:8080/callback")
	f.BoolVar(&o.Reset, "reset", false, "ask for the OAuth client again, and do not use the stored one")
	f.BoolVar(&o.Force, "force", false, "replace the connection even if it works, or is to another address")
	f.BoolVar(&o.NoBrowser, "no-browser", false, "do not open a browser: print the address, ask on the terminal")
	f.BoolVar(&o.KeyStdin, "key-stdin", false, "read the one secret that is needed, such as the key, from standard input")
	f.BoolVar(&o.SecretsStdin, "secrets-stdin", false, "read NAME=VALUE lines from standard input")
	f.BoolVar(&o.NoVerify, "no-verify", false, "do not check the credential with the service")
	f.DurationVar(&o.Timeout, "timeout", 10*time.Minute, "give up after `DURATION`")
	return cmd
}

// cancellable runs fn with a context that Ctrl-C cancels. A second Ctrl-C ends the
// process.
func cancellable(ctx context.Context, a *app, fn func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := fn(ctx)
	if !cancelled(ctx, err) {
		return err
	}
	if !errors.Is(err, terminal.ErrInterrupted) {
		err = terminal.ErrInterrupted // instead of an error about a cancelled context
	}
	if a.JSON {
		return err
	}
	// The user asked for it, so it is not shown as an error.
	a.Infof("%v", err)
	return exit.CodeError(exit.Interrupted)
}

// cancelled reports whether err is the result of Ctrl-C or SIGTERM.
func cancelled(ctx context.Context, err error) bool {
	return err != nil && (errors.Is(err, terminal.ErrInterrupted) || ctx.Err() != nil)
}

// forAddress returns the definition for the address that --base-url names: that of d, or
// that of the provider for other instances of the service.
func forAddress(a *app, set *providers.Set, d *providers.Definition, o *signin.Options) (*providers.Definition, error) {
	if o.BaseURL == "" || d.AcceptsBaseURL() {
		return d, nil
	}
	if d.OwnsAddress(o.BaseURL) {
		o.BaseURL = "" // no other one is possible
		return d, nil
	}
	name := d.ProviderFor(o.BaseURL)
	if name != d.Name {
		a.Infof("%s is %s only; using the provider %s for the other address", d.Name, d.Hosts[0], name)
	}
	return set.Lookup(name)
}

// newLogin prepares a login to a provider.
func newLogin(a *app, provider string, o signin.Options) (*signin.Login, error) {
	if err := home.ValidateName(o.Connection); err != nil {
		return nil, exit.Usagef("--connection: %v", err)
	}
	if err := checkNewName("--connection", o.Connection); err != nil {
		return nil, err
	}
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	d, err := a.definition(provider)
	if err != nil {
		return nil, err
	}
	if d, err = forAddress(a, set, d, &o); err != nil {
		return nil, err
	}
	if d.TokenProvider != "" {
		if o.Token, err = set.Lookup(d.TokenProvider); err != nil {
			o.Token = nil // a definition in the home can name one that is gone
		}
	}
	l, err := signin.New(a.Console, d, o)
	if err != nil {
		return nil, err
	}
	for _, used := range []*providers.Definition{d, o.Token} {
		if used != nil && set.ReplacesBundled(used.Name) {
			a.Notef("a definition in your home replaces the bundled one of %s; it sends the credential to %s", used.Name, strings.Join(used.Hosts, ", "))
		}
	}
	return l, nil
}

// login logs in to a provider, records that in the audit log, and reports the result
// here and in the browser.
func login(ctx context.Context, a *app, provider string, o signin.Options) error {
	l, err := newLogin(a, provider, o)
	if err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	a.suggestImport(ctx)
	c, err := l.Run(ctx, credentials)
	outcome := "ok"
	switch {
	case cancelled(ctx, err):
		outcome, err = "cancelled", l.Cancelled()
	case err != nil:
		outcome = exit.Judge(err).Name
	}
	if recordErr := a.record(audit.Event{Event: audit.Login, Provider: l.Provider(), Connection: o.Connection, Outcome: outcome}); err == nil {
		err = recordErr
	}
	var kept []explain.Contest
	if err == nil {
		kept = a.keptFrom(ctx, c)
		for _, s := range kept {
			l.Note(a.contestLine(s, choiceOf(c)))
		}
	}
	l.Finish(ctx, c, err)
	if err != nil {
		return err
	}
	if a.JSON {
		return a.printLogin(ctx, c)
	}
	account := ""
	if name := l.AccountName(c); name != "" {
		account = ", account " + name
	}
	a.Infof("connected %s/%s%s", l.Provider(), c.Name, account)
	return a.settle(ctx, c, kept)
}

// printLogin prints a new connection as JSON.
func (a *app) printLogin(ctx context.Context, c auth.Connection) error {
	v := a.viewConnection(c)
	if t, err := a.routes(ctx); err == nil {
		v.Shared = a.viewShared(t, c)
	}
	return a.PrintJSON(struct {
		Provider     string         `json:"provider"`
		Connection   connectionView `json:"connection"`
		Status       string         `json:"status"`
		RecordStatus string         `json:"record_status"`
	}{c.Provider, v, "success", string(c.Status)})
}
