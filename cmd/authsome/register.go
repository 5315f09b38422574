package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

type registerOptions struct{ force, yes, check bool }

func newRegisterCmd(a *app) *cobra.Command {
	o := &registerOptions{}
	cmd := &cobra.Command{
		Use: "register FILE", Short: "Add a provider from a definition",
		Long: `Register shows to which hosts a definition sends the credential, to which
endpoints it sends secrets at sign-in, which variables it sets, and what else
you should know about it. After a confirmation it installs the definition in the
home's providers directory. With --check it only says what it would install, or
all faults of the file.

FILE can also be an https URL, or - for standard input. It is JSON, with
comments if you like, or the output of authsome inspect PROVIDER --json. Without
a terminal, a definition from a URL needs --yes, and others are installed
without confirmation.`,
		Example: `  authsome register acme.json
  authsome register acme.jsonc --check
  authsome register https://example.com/acme.json
  authsome inspect openai --json | authsome register - --yes`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return register(cmd.Context(), a, args[0], o) },
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "replace a custom definition of the same name")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&o.check, "check", false, "only check the definition, and install nothing")
	return cmd
}

// registration is what installing a definition would do, for the user to confirm.
type registration struct {
	Provider  string            `json:"provider"`
	Status    string            `json:"status"` // "registered", or "valid" with --check
	Hosts     []string          `json:"hosts"`
	Endpoints []string          `json:"endpoints"`
	Variables []string          `json:"variables"`
	Values    map[string]string `json:"values"` // what commands get in the variables
	Warnings  []string          `json:"warnings"`
	Replaces  string            `json:"replaces,omitempty"` // "bundled" or "custom"
	Changes   []string          `json:"changes,omitempty"`
	Waiting   []string          `json:"waiting,omitempty"` // connections that do not use it until the user accepts it
}

func register(ctx context.Context, a *app, path string, o *registerOptions) error {
	data, err := a.readDocument(ctx, path)
	if err != nil {
		return err
	}
	d, err := providers.Parse(data)
	if err != nil {
		return exit.Definition(documentName(path), err)
	}
	r, err := a.registration(d)
	if err != nil {
		return err
	}
	if o.check {
		return r.report(a, d, documentName(path))
	}
	if r.Replaces == providers.Custom && !o.force {
		return exit.WithFlag(fmt.Errorf("%s: %w", d.Name, providers.ErrInstalled), "--force")
	}
	// The author of a script knows the file that it names, but not what a URL returns.
	asks := !o.yes && (a.Terminal() != nil || isURL(path))
	if asks || !a.Quiet && !a.JSON {
		r.show(a, d)
	}
	if asks {
		if err := a.Confirm(ctx, "Install "+d.Name+"?", "--yes"); err != nil {
			return err
		}
	}
	waiting, err := install(ctx, a, data, d)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		r.Waiting = append(r.Waiting, w.Provider+"/"+w.Name)
	}
	switch {
	case a.JSON:
		return a.PrintJSON(r)
	case len(waiting) == 0:
		a.Infof("registered %s; next: %s", d.Name, a.Suggest(suggest.Login(d.Name, "")))
		return nil
	}
	a.Infof("registered %s", d.Name)
	for _, w := range waiting {
		a.Infof("%s", a.waitingLine(w))
	}
	return nil
}

// registration compares a definition with the one that it replaces.
func (a *app) registration(d *providers.Definition) (*registration, error) {
	r := &registration{Provider: d.Name, Status: "registered", Hosts: append([]string{}, d.Hosts...), Endpoints: append([]string{}, d.Endpoints()...), Variables: []string{}, Warnings: []string{}}
	r.Values = make(map[string]string)
	for _, v := range d.Variables() {
		r.Variables = append(r.Variables, v.Name)
		r.Values[v.Name] = cmp.Or(v.Placeholder, v.Value)
	}
	for _, w := range d.Warnings() {
		r.Warnings = append(r.Warnings, w.Error())
	}
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	for _, p := range slices.Concat(set.Problems, set.Disabled) {
		if filepath.Base(p.Path) != d.Name+".json" { // which this one replaces
			a.warnDefinitions([]providers.Problem{p})
		}
	}
	before, err := set.Lookup(d.Name)
	if err != nil {
		return r, nil // replaces nothing
	}
	r.Replaces = before.Source
	for _, c := range providers.Changes(before, d) {
		r.Changes = append(r.Changes, c.String())
	}
	if providers.MovesSecrets(before, d) {
		r.Warnings = append(r.Warnings, "sign-in uses other addresses; stored credentials are not sent there, so "+d.Name+" needs a new login")
	}
	return r, nil
}

// report says what would be installed.
func (r *registration) report(a *app, d *providers.Definition, file string) error {
	if a.JSON {
		r.Status = "valid"
		return a.PrintJSON(r)
	}
	if !a.Quiet {
		r.show(a, d)
	}
	a.Infof("%s is valid; nothing was installed", file)
	return nil
}

// variableNote explains what a command gets in a variable: a placeholder, or the
// defaults of params.
func variableNote(d *providers.Definition, value string) string {
	if providers.HasPlaceholder(value) {
		return " (a placeholder)"
	}
	note := ""
	for _, p := range d.Params {
		if name := "{" + p.Name + "}"; p.Default != "" && strings.Contains(value, name) {
			note += fmt.Sprintf(" (%s is %s by default)", name, p.Default)
		}
	}
	if d.BaseURL != "" && strings.Contains(value, "{base_url}") {
		note += fmt.Sprintf(" ({base_url} is %s by default)", d.BaseURL)
	}
	return note
}

// show prints what the definition does.
func (r *registration) show(a *app, d *providers.Definition) {
	a.Detail("%s (%s)", d.DisplayName, d.Name)
	for _, host := range r.Hosts {
		a.Detail("  sends its credential to %s", strings.ReplaceAll(host, "{base_url}", "the address given at login"))
	}
	if len(d.Paths) > 0 {
		a.Detail("  only under %s", strings.Join(d.Paths, ", "))
	}
	for _, e := range r.Endpoints {
		a.Detail("  sends secrets at sign-in to %s", e)
	}
	for _, name := range r.Variables {
		a.Detail("  sets %s for commands: %s%s", name, r.Values[name], variableNote(d, r.Values[name]))
	}
	for _, c := range r.Changes {
		a.Detail("  changed: %s", c)
	}
	for _, w := range r.Warnings {
		a.Detail("  note: %s", w)
	}
	if r.Replaces == providers.Bundled {
		a.Detail("  replaces the bundled definition")
	}
}

// install writes the definition and makes running proxies reload the definitions. It
// returns the connections that do not use it until the user accepts it.
func install(ctx context.Context, a *app, data []byte, d *providers.Definition) ([]acceptance, error) {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	// Connections of an older version get their pins before the definition changes.
	if err := a.opener().PinConnections(ctx); err != nil {
		return nil, err
	}
	if _, err := providers.Install(h.ProvidersDir(), data, true); err != nil {
		return nil, err
	}
	// This changes no record, but the vault's generation, which running proxies watch.
	if err := v.Update(ctx, func(*vault.Tx) error { return nil }); err != nil {
		return nil, err
	}
	if err := a.record(audit.Event{Event: audit.Register, Provider: d.Name, Outcome: "ok: hosts " + strings.Join(d.Hosts, ", ")}); err != nil {
		return nil, err
	}
	return waitingFor(ctx, a, d.Name)
}

// waitingFor returns the connections that do not use the definition that was just
// installed.
func waitingFor(ctx context.Context, a *app, provider string) ([]acceptance, error) {
	set, err := a.opener().LoadProviders()
	if err != nil {
		return nil, err
	}
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	credentials.UseProviders(set)
	own, err := connectionsOf(ctx, a, provider)
	if err != nil {
		return nil, err
	}
	return waitingOf(credentials, own), nil
}
