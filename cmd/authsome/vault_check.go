package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/vault"
)

func newVaultCheckCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check every file and record of the vault",
		Long: `Check reads every file and record of the profile's vault and names those that
are damaged. It changes nothing. If something is damaged, the exit code is 7.`,
		Example: `  authsome vault check
  authsome vault check --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return checkVault(cmd.Context(), a) },
	}
}

// checkView is the shape of --json.
type checkView struct {
	Profile    string       `json:"profile"`
	Sound      bool         `json:"sound"`
	Generation uint64       `json:"generation"`
	Records    int          `json:"records"`
	Damage     []damageView `json:"damage"`
}

type damageView struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

func checkVault(ctx context.Context, a *app) error {
	p, err := a.profile()
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	var r vault.Report
	v, err := a.vault()
	if damage, ok := errors.AsType[*vault.DamageError](err); ok {
		r.Damage = append(r.Damage, damage)
	} else if err != nil {
		return err
	} else if r, err = v.Check(ctx); err != nil {
		return err
	}
	view := checkView{Profile: p.Name, Sound: len(r.Damage) == 0, Generation: r.Generation, Records: r.Records, Damage: []damageView{}}
	for _, d := range r.Damage {
		view.Damage = append(view.Damage, damageView{d.Path, d.Reason})
	}
	if a.JSON {
		if err := a.PrintJSON(view); err != nil || view.Sound {
			return err
		}
		return exit.CodeError(exit.Store)
	}
	for _, d := range view.Damage {
		a.Printf("%s: %s\n", d.What, d.Reason)
	}
	if !view.Sound {
		return exit.WithCommand(fmt.Errorf("the vault of profile %s is damaged: %w", p.Name, r.Damage[0]), "vault restore FILE --force")
	}
	a.Printf("profile %s: %s, all sound (generation %d)\n", p.Name, show.Plural(r.Records, "record"), r.Generation)
	return nil
}
