package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/audit"
)

func newConnectionMoveCmd(a *app) *cobra.Command {
	return transferCmd(a, &cobra.Command{
		Use: "move PROVIDER [CONNECTION]", Short: "Move a connection to another profile, or rename it",
		Long: `Move stores a connection in another profile and then deletes it in this one: the
named one, else the default, else the only one. If the other profile has no
OAuth client for the provider, it gets the one that obtained the connection.
Running proxies of this profile stop using the connection within a second. The
provider is not contacted.

If the command is interrupted, the connection is in both profiles; run the same
command again to finish. With --as and without --to, move renames the
connection.`,
		Example: `  authsome connection move github --to agents
  authsome connection move github work --profile agents --to default --as old
  authsome connection move github old --as new`,
	}, moveConnection)
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
		a.Infof("renamed %s/%s to %s/%s", o.provider, t.Connection, o.provider, connectionLabel(c))
	} else {
		a.Infof("moved %s/%s to profile %s as %s/%s", o.provider, t.Connection, o.to, o.provider, connectionLabel(c))
	}
	return a.acknowledgeTransfer(from, t, c)
}
