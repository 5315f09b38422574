package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// resolveProvider replaces the argument PROVIDER of a command, which may be an alias or
// be spelled in another way, by the name of the provider. Everything after that, also
// each message, has only the name.
func (a *app) resolveProvider(cmd *cobra.Command, args []string) error {
	usage := strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(cmd.Use))
	i := slices.Index(usage, "PROVIDER") - 1
	if i < 0 || i >= len(args) {
		return nil
	}
	name, err := a.providerMeant(cmd.Context(), args[i])
	if err != nil {
		return err
	}
	args[i] = name
	return nil
}

// providerMeant returns the name of the provider that text means. A provider that has
// connections and lost its definition is meant by its own name only.
func (a *app) providerMeant(ctx context.Context, text string) (string, error) {
	set, err := a.providers()
	if err != nil {
		return "", err
	}
	name := set.Resolve(text)
	if name == text {
		return text, nil
	}
	own, err := connectionsOf(ctx, a, text)
	if err != nil {
		return "", err
	}
	if len(own) > 0 {
		return text, nil
	}
	return name, nil
}
