package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
)

func newConnectionCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "connection", Short: "Copy or move connections between profiles",
		Long: `Each profile has a vault of its own, so that a connection is sealed anew where it
goes. It comes from the profile in use, and goes to the one that --to names.`,
		Example: `  authsome connection move github work --to agents
  authsome connection copy openai --to agents`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newConnectionCopyCmd(a), newConnectionMoveCmd(a))
	return cmd
}

// transferOptions are those of copy and move.
type transferOptions struct {
	provider   string
	connection string
	to         string
	as         string
	force      bool
}

func newConnectionCopyCmd(a *app) *cobra.Command {
	return transferCmd(a, &cobra.Command{
		Use: "copy PROVIDER [CONNECTION]", Short: "Give a connection to another profile as well",
		Long: `Copy stores a connection in another profile too: the one named, else the default,
else the only one. It becomes the default there if it is the provider's first.
What ends the key or token at the service ends it for both.

A connection with a refresh token is not copied. Each refresh replaces that
token, and a provider that then sees the old one ends the whole sign-in. Move it,
or sign in again in the other profile.`,
		Example: `  authsome connection copy openai --to agents
  authsome connection copy resend work --to agents --as mail`,
	}, copyConnection)
}

func newConnectionMoveCmd(a *app) *cobra.Command {
	return transferCmd(a, &cobra.Command{
		Use: "move PROVIDER [CONNECTION]", Short: "Move a connection to another profile, or rename it",
		Long: `Move stores a connection in another profile, with the OAuth client it was obtained
with if that profile has none, and then deletes it here: the one named, else the
default, else the only one. Running proxies of this profile stop using it within
a second. The provider is not contacted.

If it is interrupted, the connection is in both profiles, and the same command
again finishes it. With --to naming its own profile, --as gives it another name.`,
		Example: `  authsome connection move github --to agents
  authsome connection move github work --profile agents --to default --as old
  authsome connection move github old --to default --as new`,
	}, moveConnection)
}

func transferCmd(a *app, cmd *cobra.Command, run func(context.Context, *app, *transferOptions) error) *cobra.Command {
	o := &transferOptions{}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 || len(args) == 2 {
			return nil
		}
		return exit.Usagef("%s takes PROVIDER and optionally CONNECTION", cmd.Name())
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.provider = args[0]; len(args) == 2 {
			o.connection = args[1]
		}
		ctx, cancel := opener.Bounded(cmd.Context())
		defer cancel()
		return run(ctx, a, o)
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "the `PROFILE` that it goes to")
	f.StringVar(&o.as, "as", "", "its `NAME` there, if not the same")
	f.BoolVar(&o.force, "force", false, "replace a connection of that name there")
	return cmd
}

func copyConnection(ctx context.Context, a *app, o *transferOptions) error {
	from, t, err := o.open(ctx, a, "copy")
	if err != nil {
		return err
	}
	c, err := from.Copy(ctx, t)
	if err != nil {
		return o.explain(err, "copy", t)
	}
	if err := a.recordTransfer(audit.Copy, from, t, c, "ok"); err != nil {
		return err
	}
	a.Infof("copied %s/%s to profile %s as %s", o.provider, t.Connection, o.to, connectionLabel(c))
	return a.acknowledgeTransfer(from, t, c)
}

func moveConnection(ctx context.Context, a *app, o *transferOptions) error {
	from, t, err := o.open(ctx, a, "move")
	if err != nil {
		return err
	}
	c, err := from.Move(ctx, t)
	if _, half := errors.AsType[*auth.MoveError](err); half {
		err = errors.Join(a.recordTransfer(audit.Move, from, t, c, "not complete"), err)
	}
	if err != nil {
		return o.explain(err, "move", t)
	}
	if err := a.recordTransfer(audit.Move, from, t, c, "ok"); err != nil {
		return err
	}
	if t.To == from {
		a.Infof("renamed %s/%s to %s", o.provider, t.Connection, connectionLabel(c))
	} else {
		a.Infof("moved %s/%s to profile %s as %s", o.provider, t.Connection, o.to, connectionLabel(c))
	}
	return a.acknowledgeTransfer(from, t, c)
}

// open opens both profiles, and finds the connection that is used if none is named.
func (o *transferOptions) open(ctx context.Context, a *app, command string) (from *auth.Auth, t auth.Transfer, err error) {
	if o.to == "" {
		return nil, t, exit.WithCommand(exit.Usagef("name the target profile with --to"), "connection %s %s --to PROFILE", command, o.provider)
	}
	if err := checkName("--as", o.as); err != nil {
		return nil, t, err
	}
	if from, err = a.auth(); err != nil {
		return nil, t, err
	}
	to, err := a.otherAuth(from, o.to)
	if err != nil {
		return nil, t, err
	}
	if err := checkKnown(ctx, a, o.provider); err != nil {
		return nil, t, err
	}
	name := o.connection
	if name == "" {
		if name, err = from.Default(ctx, o.provider); err != nil {
			return nil, t, err
		}
	}
	if to == from && cmp.Or(o.as, name) == name {
		return nil, t, exit.WithCommand(exit.Usagef("%s/%s is in profile %s; give it another name with --as", o.provider, name, o.to), "connection move %s %s --to %s --as NAME", o.provider, name, o.to)
	}
	return from, auth.Transfer{Provider: o.provider, Connection: name, To: to, As: o.as, Force: o.force}, nil
}

// otherAuth opens the connections of another profile, or from itself.
func (a *app) otherAuth(from *auth.Auth, name string) (*auth.Auth, error) {
	if name == from.Profile {
		return from, nil
	}
	p, err := a.opener().Named(name)
	if errors.Is(err, home.ErrNoProfile) {
		return nil, exit.WithCommand(err, "profile create %s", name)
	}
	if err != nil {
		return nil, err
	}
	return p.Auth()
}

// explain adds what to do next to an error of a transfer.
func (o *transferOptions) explain(err error, command string, t auth.Transfer) error {
	repeat := suggest.Command("connection %s %s %s --to %s", command, o.provider, t.Connection, o.to)
	if _, ok := errors.AsType[*auth.MoveError](err); ok {
		if o.as != "" {
			repeat = repeat.With("--as " + o.as)
		}
		return exit.WithHint(err, repeat)
	}
	if _, ok := errors.AsType[*auth.ConnectedError](err); ok {
		return exit.WithHint(fmt.Errorf("profile %s: %w", o.to, err), repeat.With("--as NAME"))
	}
	if _, ok := errors.AsType[*auth.ClientError](err); ok {
		return exit.WithHint(err, suggest.Login(o.provider, cmp.Or(o.as, t.Connection)).For(o.to))
	}
	if errors.Is(err, auth.ErrOneHolder) {
		return exit.WithCommand(err, "connection move %s %s --to %s", o.provider, t.Connection, o.to)
	}
	return err
}

// recordTransfer writes a transfer to the audit log, once for each profile.
func (a *app) recordTransfer(event string, from *auth.Auth, t auth.Transfer, c auth.Connection, outcome string) error {
	err := a.record(audit.Event{
		Event: event, Provider: c.Provider, Connection: t.Connection, Outcome: fmt.Sprintf("%s: to %s in profile %s", outcome, c.Name, t.To.Profile),
	})
	if err != nil || t.To == from {
		return err
	}
	return a.record(audit.Event{
		Event: event, Profile: t.To.Profile, Provider: c.Provider, Connection: c.Name, Outcome: fmt.Sprintf("%s: from %s in profile %s", outcome, t.Connection, from.Profile),
	})
}

func (a *app) acknowledgeTransfer(from *auth.Auth, t auth.Transfer, c auth.Connection) error {
	if !a.JSON {
		return nil
	}
	type place struct {
		Profile    string `json:"profile"`
		Connection string `json:"connection"`
	}
	return a.PrintJSON(struct {
		Provider   string `json:"provider"`
		Profile    string `json:"profile"`
		Connection string `json:"connection"`
		Default    bool   `json:"default"`
		From       place  `json:"from"`
		Status     string `json:"status"`
	}{c.Provider, t.To.Profile, c.Name, c.Default, place{from.Profile, t.Connection}, "ok"})
}
