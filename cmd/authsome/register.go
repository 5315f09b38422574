package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/audit"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

func newRegisterCmd(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "register FILE", Short: "Add a provider from a definition",
		Long: `Register validates a definition and installs it in the home's providers
directory. It says which hosts requests with the credential can go to, and which
endpoints are sent secrets at sign-in. FILE - is standard input.`,
		Example: `  authsome register acme.json
  authsome inspect openai --json | jq .definition | authsome register - --force`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return register(cmd.Context(), a, args[0], force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace a custom definition of the same name")
	return cmd
}

func register(ctx context.Context, a *app, path string, force bool) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	data, err := a.readDefinition(path)
	if err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	d, err := providers.Install(h.ProvidersDir(), data, force)
	if err != nil {
		if _, invalid := errors.AsType[*providers.FieldError](err); invalid {
			return fmt.Errorf("%s: %w", path, err)
		}
		return err
	}
	// Nothing in the vault changes; its generation tells running proxies to look.
	if err := v.Update(ctx, func(*vault.Tx) error { return nil }); err != nil {
		return err
	}
	if err := a.record(audit.Event{Event: audit.Register, Provider: d.Name, Outcome: "ok"}); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Provider  string   `json:"provider"`
			Hosts     []string `json:"hosts"`
			Endpoints []string `json:"endpoints"`
		}{d.Name, append([]string{}, d.Hosts...), append([]string{}, d.Endpoints()...)})
	}
	a.infof("%s is registered", d.Name)
	for _, host := range d.Hosts {
		a.infof("  its credential goes to %s", host)
	}
	for _, e := range d.Endpoints() {
		a.infof("  secrets at sign-in go to %s", e)
	}
	a.infof("connect it: authsome login %s", d.Name)
	return nil
}

func (a *app) readDefinition(path string) ([]byte, error) {
	const limit = 1 << 20
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, usageErrorf("%v", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	return data, nil
}
