package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/providers/draft"
)

func newProviderCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "provider", Short: "Write a definition for a new provider",
		Long: `A provider is a service that authsome knows by its definition: the hosts, how its
requests carry a credential, and how a login obtains one. authsome list shows the
providers, authsome inspect a definition, authsome register adds one.`,
		Example: "  authsome provider new acme > acme.json",
		Args:    noArgs,
		RunE:    showHelp,
	}
	cmd.AddCommand(newProviderNewCmd(a))
	return cmd
}

func newProviderNewCmd(a *app) *cobra.Command {
	var openAPI string
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Write a definition to start from",
		Long: `New writes a definition for a service to stdout, with comments in members that
begin with x_. From an OpenAPI 3 document it takes the servers and how requests
are authenticated. Fill in what is marked TODO, then register it.`,
		Example: `  authsome provider new acme > acme.json
  authsome provider new acme --openapi https://api.acme.com/openapi.json > acme.json
  authsome register acme.json`,
		Args: exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return newProvider(cmd.Context(), a, args[0], openAPI)
		},
	}
	cmd.Flags().StringVar(&openAPI, "openapi", "", "start from the OpenAPI document in `FILE`, or at an https URL")
	return cmd
}

// newNewProviderCmd is the former name of provider new, for scripts that use it.
func newNewProviderCmd(a *app) *cobra.Command {
	cmd := newProviderNewCmd(a)
	cmd.Use, cmd.Hidden = "new-provider NAME", true
	return cmd
}

func newProvider(ctx context.Context, a *app, name, openAPI string) error {
	var text []byte
	var err error
	if openAPI == "" {
		text, err = draft.New(name)
	} else {
		var document []byte
		if document, err = a.readDefinition(ctx, openAPI); err != nil {
			return err
		}
		text, err = draft.FromOpenAPI(name, document)
	}
	if err != nil {
		return err
	}
	a.Printf("%s", text)
	a.Infof("fill in what is marked TODO or listed in x_todo, then run %s", a.Suggest(suggest.Command("register FILE")))
	return nil
}
