package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/routing"
)

func newStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status [PROVIDER]", Short: "Check with the services which credentials work",
		Long: `Status makes a request to the service of each connection, as login does, and
shows whether the service accepts the credential, which account it belongs to,
and when it expires. It also shows the hosts that several connections cover.

A credential is sent only to its own service. Tokens that have expired, or that
the service refuses, are refreshed first. Behind the proxy no credential is
sent; status then shows what is known.

The exit code is 4 if a credential does not work. One that could not be checked
does not count.`,
		Example: `  authsome status
  authsome status github
  authsome status --json`,
		Args: optionalArg("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			provider := ""
			if len(args) > 0 {
				provider = args[0]
			}
			return status(cmd.Context(), a, provider)
		},
	}
}

// statusView is a connection in --json of status.
type statusView struct {
	Provider string `json:"provider"`
	connectionView
	Check  checkResult `json:"check"`
	Detail string      `json:"detail,omitempty"` // of the check
}

func status(ctx context.Context, a *app, provider string) error {
	reading, cancel := opener.Bounded(ctx)
	defer cancel()
	connections, err := statusConnections(reading, a, provider)
	if err != nil {
		return err
	}
	t, err := a.routes(reading)
	if err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	c := &checker{app: a, credentials: credentials, offline: a.Behind()}
	views := []statusView{}
	outcomes := c.checkAll(ctx, connections)
	c.remember(outcomes)
	for _, o := range outcomes {
		v := statusView{Provider: o.connection.Provider, connectionView: a.viewConnection(o.connection), Check: o.result, Detail: o.detail}
		v.Account, v.Shared = cmp.Or(o.account, v.Account), a.viewShared(t, o.connection)
		if o.result == checkRejected || o.result == checkUnusable {
			v.Fix, v.Who = a.Next(o.next)
		}
		views = append(views, v)
	}
	return a.printStatus(ctx, views, t)
}

// statusConnections returns the connections of the provider, or all if it is empty.
func statusConnections(ctx context.Context, a *app, provider string) ([]auth.Connection, error) {
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	if provider == "" {
		return credentials.Connections(ctx)
	}
	if err := checkKnown(ctx, a, provider); err != nil {
		return nil, err
	}
	own, err := connectionsOf(ctx, a, provider)
	if err == nil && len(own) == 0 {
		err = exit.WithHint(&exit.MissingError{Message: provider + " is not connected"}, suggest.Login(provider, ""))
	}
	return own, err
}

// printStatus prints the result, and returns an error with the exit code if a credential
// does not work.
func (a *app) printStatus(ctx context.Context, views []statusView, t *routing.Table) error {
	dead := 0
	for _, v := range views {
		if v.Check == checkRejected || v.Check == checkUnusable {
			dead++
		}
	}
	var failed error
	if dead > 0 {
		failed = exit.CodeError(exit.Authentication)
	}
	if a.JSON {
		err := a.PrintJSON(struct {
			OK          bool         `json:"ok"` // no credential is known not to work
			Connections []statusView `json:"connections"`
		}{dead == 0, views})
		if err != nil {
			return err
		}
		return failed
	}
	if len(views) == 0 {
		a.reportNoConnections(ctx)
		return nil
	}
	now := time.Now()
	rows := [][]string{{"CONNECTION", "ACCOUNT", "STATUS", "EXPIRES"}}
	for _, v := range views {
		rows = append(rows, []string{v.Provider + "/" + v.Name, v.Account, v.words(now), v.expiry(now)})
	}
	a.Table(withoutEmpty(rows, 1))
	for _, v := range views {
		switch v.Check {
		case checkRejected, checkUnusable:
			a.Warnf("%s/%s does not work: %s: %s", v.Provider, v.Name, v.Detail, v.Fix)
		case checkUnknown:
			a.Infof("%s/%s was not checked: %s", v.Provider, v.Name, v.Detail)
		}
	}
	a.reportContests(t, func(c routing.Choice) bool {
		return slices.ContainsFunc(views, func(v statusView) bool { return v.Provider == c.Provider && v.Name == c.Connection })
	})
	return failed
}

// words is the status for the table.
func (v *statusView) words(now time.Time) string {
	switch v.Check {
	case checkWorks:
		return "works"
	case checkRejected:
		return "rejected"
	case checkUnusable:
		return v.Status
	case checkUnknown:
		return "not checked"
	}
	if v.RejectedSince != nil {
		return "rejected " + show.Relative(*v.RejectedSince, now)
	}
	return v.Status + ", not checked"
}
