package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/providers/draft"
)

func newNewProviderCmd(a *app) *cobra.Command {
	var openAPI string
	cmd := &cobra.Command{
		Use: "new-provider NAME", Short: "Write a definition to start from",
		Long: `New-provider writes a definition for a service to stdout, with comments in members
that begin with x_. From an OpenAPI 3 document it takes the servers and the way
requests are authenticated. Fill in what is marked TODO, then register it.`,
		Example: `  authsome new-provider acme > acme.json
  authsome new-provider acme --openapi https://api.acme.com/openapi.json > acme.json
  authsome register acme.json`,
		Args: exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return newProvider(cmd.Context(), a, args[0], openAPI)
		},
	}
	cmd.Flags().StringVar(&openAPI, "openapi", "", "start from the OpenAPI document in `FILE`, or at an https URL")
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
	a.printf("%s", text)
	a.infof("fill in what is marked TODO or on the list x_todo, then: authsome register FILE")
	return nil
}
