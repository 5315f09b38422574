package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/authsome/authsome/audit"
	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/home"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

type loginOptions struct {
	provider   string
	connection string
	baseURL    string
	force      bool
	keyStdin   bool
}

func newLoginCmd(a *app) *cobra.Command {
	o := &loginOptions{}
	cmd := &cobra.Command{
		Use: "login PROVIDER", Short: "Connect a provider",
		Long: `Login obtains a credential and seals it in the vault. An API key is taken from
standard input with --key-stdin, else from the variable that the provider's
clients read, else asked for on the terminal. No secret is accepted as an
argument: other users could see it there.

The first connection of a provider becomes its default.`,
		Example: `  authsome login openai
  authsome login openai --connection work --key-stdin < key.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return withHint(usageErrorf("login takes a PROVIDER, and no secret as an argument"), "authsome list")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.provider = args[0]
			return login(cmd.Context(), a, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.connection, "connection", auth.DefaultName, "call the connection `NAME`")
	f.StringVar(&o.baseURL, "base-url", "", "the service's own address, as `URL`, where it is not the provider's")
	f.BoolVar(&o.force, "force", false, "replace the connection if there is one")
	f.BoolVar(&o.keyStdin, "key-stdin", false, "read the key from standard input")
	return cmd
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
	if why := d.Unsupported(); why != "" {
		return fmt.Errorf("%s cannot be connected yet: %s", d.Name, why)
	}
	if d.AuthType != providers.AuthAPIKey {
		return withHint(fmt.Errorf("%s signs in with OAuth (%s), which this version cannot do yet", d.Name, d.Flow),
			"authsome list shows the providers of type api_key")
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	a.proposeImport(ctx)
	c, err := credentials.Login(ctx, auth.LoginRequest{
		Provider: d.Name, Connection: o.connection, BaseURL: o.baseURL, Force: o.force, Key: a.keySource(d, o),
	})
	outcome := "ok"
	if err != nil {
		outcome = judge(err).name
	}
	if recordErr := a.record(audit.Event{Event: audit.Login, Provider: d.Name, Connection: o.connection, Outcome: outcome}); err == nil {
		err = recordErr
	}
	if err != nil {
		return a.explainKey(d, err)
	}
	if a.json {
		return a.printJSON(struct {
			Provider   string         `json:"provider"`
			Connection connectionView `json:"connection"`
		}{d.Name, viewConnection(c)})
	}
	a.infof("%s is connected as %s", d.Name, c.Name)
	return nil
}

// keySource asks in the order that login documents.
func (a *app) keySource(d *providers.Definition, o *loginOptions) flows.KeySource {
	if o.keyStdin {
		return flows.KeyFromReader(a.stdin)
	}
	environment := flows.KeyFromEnvironment(d, a.getenv)
	fromEnvironment := func(ctx context.Context) (secret.String, error) {
		key, err := environment(ctx)
		switch {
		case err == nil && strings.Contains(key.Reveal(), providers.PlaceholderMark):
			return secret.String{}, fmt.Errorf("the variable holds a placeholder of authsome's: %w", flows.ErrNoKey)
		case err == nil:
			a.infof("the key is taken from the environment")
		}
		return key, err
	}
	return flows.FirstKey(fromEnvironment, a.askKey(d))
}

// askKey asks on the terminal, without echo.
func (a *app) askKey(d *providers.Definition) flows.KeySource {
	return func(context.Context) (secret.String, error) {
		fd, ok := a.terminal()
		if !ok {
			return secret.String{}, flows.ErrNoKey
		}
		// The question goes to the terminal, wherever stderr goes.
		to := a.stderr
		if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
			defer tty.Close()
			to = tty
		}
		if link := d.DocsLink(); link != "" {
			fmt.Fprintf(to, "%s says where keys are made\n", link)
		}
		fmt.Fprintf(to, "API key for %s (not shown): ", d.DisplayName)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(to)
		if err != nil {
			return secret.String{}, fmt.Errorf("read the key from the terminal: %w", err)
		}
		return secret.New(string(b)), nil
	}
}

// explainKey adds to an error about a key how to give one.
func (a *app) explainKey(d *providers.Definition, err error) error {
	if !errors.Is(err, flows.ErrNoKey) {
		return err
	}
	how := "pipe the key into authsome login " + d.Name + " --key-stdin"
	for _, v := range d.Variables() {
		how = "set " + v.Name + ", or " + how
		break
	}
	return withHint(fmt.Errorf("%s: %w: no variable is set, and this is no terminal", d.Name, flows.ErrNoKey), "%s", how)
}
