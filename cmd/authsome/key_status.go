package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/vault"
)

func newKeyStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show where the master key is kept and which vaults it opens",
		Long: `Status shows how and where the master key is kept, since when, and which vaults
it opens. It does not read the key.`,
		Example: "  authsome key status --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return keyStatus(a, a.opener()) },
	}
}

// keyVaultView is a vault in --json.
type keyVaultView struct {
	Profile string   `json:"profile"`
	Vault   string   `json:"vault"`
	KIDs    []string `json:"kids"`
}

func keyStatus(a *app, o *opener.Opener) error {
	h, err := o.Home()
	if err != nil {
		return err
	}
	p, err := o.KeyPlaces()
	if err != nil {
		return err
	}
	names, vaults, err := keyVaults(h)
	if err != nil {
		return err
	}
	where, changing := p.Where(h.Dir), p.Next != nil || p.Previous != nil
	since := p.Changed
	if info, err := os.Stat(where); since.IsZero() && err == nil {
		since = info.ModTime().UTC().Truncate(time.Second)
	}
	if a.JSON {
		var at *string
		if !since.IsZero() {
			s := since.Format(time.RFC3339)
			at = &s
		}
		return a.PrintJSON(struct {
			Mode     string         `json:"mode"`
			Where    string         `json:"where"`
			Since    *string        `json:"since"`
			Changing bool           `json:"changing"`
			Profiles int            `json:"profiles"`
			Vaults   []keyVaultView `json:"vaults"`
		}{p.Mode, where, at, changing, len(names), vaults})
	}
	rows := [][]string{{"mode", p.Mode}, {"where", where}}
	if !since.IsZero() {
		rows = append(rows, []string{"since", since.Format(time.DateOnly) + ", " + show.Relative(since, time.Now())})
	}
	rows = append(rows, []string{"opens", show.Plural(len(vaults), "vault") + " of " + show.Plural(len(names), "profile")})
	for _, v := range vaults {
		rows = append(rows, []string{"", v.Profile + ": data key " + strings.Join(v.KIDs, ", ")})
	}
	if changing {
		rows = append(rows, []string{"change", "interrupted; the next command that opens the vault finishes it"})
	}
	a.Facts(rows)
	return nil
}

// keyVaults returns the names of all profiles, and the vaults of those that have one.
func keyVaults(h *home.Home) (names []string, vaults []keyVaultView, err error) {
	if names, err = h.Profiles(); err != nil {
		return nil, nil, err
	}
	vaults = []keyVaultView{}
	for _, name := range names {
		p, err := h.Profile(name)
		if err != nil {
			return nil, nil, err
		}
		id, kids, err := vault.Describe(p.Dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		vaults = append(vaults, keyVaultView{name, id, kids})
	}
	return names, vaults, nil
}
