package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/providers/draft"
)

func newProviderCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "provider", Short: "Draft the definition of a provider",
		Long: `The definition of a provider says which hosts the service has, how a request
carries the credential, and how a login obtains it. authsome list shows all
providers, authsome inspect shows a definition, and authsome register adds one.`,
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
		Use: "new NAME", Short: "Print a draft of a definition",
		Long: `New prints a draft of a definition, with comments in members that begin with x_.
With --openapi, the hosts and the authentication are those of an OpenAPI 3
document. Fill in what is marked TODO or listed in x_todo, then register the
file.`,
		Example: `  authsome provider new acme > acme.json
  authsome provider new acme --openapi https://acme.com/openapi.json > acme.json
  authsome register acme.json`,
		Args: exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return newProvider(cmd.Context(), a, args[0], openAPI)
		},
	}
	cmd.Flags().StringVar(&openAPI, "openapi", "", "start from the OpenAPI document in `FILE`, or at an https URL")
	return cmd
}

// newNewProviderCmd is provider new under its old name, for scripts that use it.
func newNewProviderCmd(a *app) *cobra.Command {
	cmd := newProviderNewCmd(a)
	cmd.Use, cmd.Hidden = "new-provider NAME", true
	return cmd
}

func newProvider(ctx context.Context, a *app, name, openAPI string) error {
	if err := cmp.Or(providers.ValidateName(name), checkNewName("NAME", name)); err != nil {
		return err
	}
	text, err := a.draft(ctx, name, openAPI)
	if err != nil {
		return err
	}
	a.Printf("%s", text)
	a.Infof("fill in what is marked TODO or listed in x_todo, then run %s", a.Suggest(suggest.Command("register FILE")))
	return nil
}

// draft returns a draft from an OpenAPI document, or an empty one if none is named.
func (a *app) draft(ctx context.Context, name, openAPI string) ([]byte, error) {
	if openAPI == "" {
		return draft.New(name)
	}
	document, err := a.readDocument(ctx, openAPI)
	if err != nil {
		return nil, err
	}
	text, err := draft.FromOpenAPI(name, document)
	if err != nil {
		return nil, exit.Usagef("%s: %v", documentName(openAPI), err)
	}
	return text, nil
}
