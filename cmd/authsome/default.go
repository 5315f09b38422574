package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
)

func newDefaultCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "default PROVIDER CONNECTION", Short: "Choose a provider's default connection",
		Long: `Default chooses the connection of a provider that commands use if none is named.
Running proxies follow within a second.`,
		Example: "  authsome default github work",
		Args:    exactArgs("PROVIDER", "CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName("CONNECTION", args[1]); err != nil {
				return err
			}
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			return setDefault(ctx, a, args[0], args[1])
		},
	}
}

func setDefault(ctx context.Context, a *app, provider, connection string) error {
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	if err := checkKnown(ctx, a, provider); err != nil {
		return err
	}
	if err := credentials.SetDefault(ctx, provider, connection); err != nil {
		return err
	}
	a.Infof("the default connection of %s is now %s", provider, connection)
	c := auth.Connection{Provider: provider, Name: connection}
	for _, s := range a.keptFrom(ctx, c) {
		if s.Server.Provider == provider { // another connection is preferred there
			a.Infof("%s", a.contestLine(s, choiceOf(c)))
		}
	}
	return a.acknowledge(provider, connection, "ok")
}
