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
		Use: "connection", Short: "Copy, move or prefer connections, accept changed definitions",
		Long: `Copy and move take a connection of the profile in use to the profile that --to
names, and encrypt it with the key of that profile's vault. Accept lets a
connection use a definition that was changed after it was made. Prefer chooses
who serves hosts that several providers cover.`,
		Example: `  authsome connection move github work --to agents
  authsome connection copy openai --to agents
  authsome connection accept acme
  authsome connection prefer github-pat`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newConnectionAcceptCmd(a), newConnectionCopyCmd(a), newConnectionMoveCmd(a), newConnectionPreferCmd(a))
	return cmd
}

// transferOptions are the arguments and flags of copy and move.
type transferOptions struct {
	provider   string
	connection string
	to         string
	as         string
	force      bool
}

// transferCmd completes a command that copies or moves a connection.
func transferCmd(a *app, cmd *cobra.Command, run func(context.Context, *app, *transferOptions) error) *cobra.Command {
	o := &transferOptions{}
	cmd.Args = providerArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.provider = args[0]; len(args) == 2 {
			o.connection = args[1]
		}
		ctx, cancel := opener.Bounded(cmd.Context())
		defer cancel()
		return run(ctx, a, o)
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "the `PROFILE` that gets the connection")
	f.StringVar(&o.as, "as", "", "give it another `NAME` there")
	f.BoolVar(&o.force, "force", false, "replace the connection that has the name there")
	return cmd
}

// open opens both profiles, and finds the connection that is used if none is named.
func (o *transferOptions) open(ctx context.Context, a *app, command string) (from *auth.Auth, t auth.Transfer, err error) {
	if err := o.check(command); err != nil {
		return nil, t, err
	}
	if from, err = a.auth(); err != nil {
		return nil, t, err
	}
	o.to = cmp.Or(o.to, from.Profile)
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
		return nil, t, exit.WithCommand(exit.Usagef("%s/%s is already in profile %s; give it another name with --as", o.provider, name, o.to),
			"connection %s %s %s --to %s --as NAME", command, o.provider, name, o.to)
	}
	return from, auth.Transfer{Provider: o.provider, Connection: name, To: to, As: o.as, Force: o.force}, nil
}

// check checks the names that were given. A move that has only a new name is within the
// profile.
func (o *transferOptions) check(command string) error {
	switch {
	case o.to != "" || command == "move" && o.as != "":
	case command == "move":
		return exit.WithFlag(exit.Usagef("name the target profile with --to, or give the connection another name with --as"), "--to PROFILE")
	default:
		return exit.WithFlag(exit.Usagef("name the target profile with --to"), "--to PROFILE")
	}
	return cmp.Or(checkName("CONNECTION", o.connection), checkName("--to", o.to), checkName("--as", o.as), checkNewName("--as", o.as))
}

// otherAuth opens the connections of another profile, or returns from if the name is
// that profile's.
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
	if errors.Is(err, auth.ErrOneHolder) {
		move := suggest.Command("connection move %s %s --to %s", o.provider, t.Connection, o.to)
		if o.as != "" {
			move = move.With("--as " + o.as)
		}
		return exit.WithHint(err, move)
	}
	return err
}

// recordTransfer writes a transfer to the audit log, with one line for each profile.
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

// acknowledgeTransfer prints the JSON answer of copy and move.
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
