package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/authsome/authsome/internal/regular"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/vault"
)

type restoreOptions struct {
	identity       string
	passphraseFile string
	force          bool
}

func newVaultRestoreCmd(a *app) *cobra.Command {
	o := &restoreOptions{}
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Replace the vault's records by those of a backup",
		Long: `Restore reads a backup to its end. Then it replaces the records of the vault by
those of the backup, encrypted with the key of this vault. The profile is the
one that was backed up; it is created if it does not exist. A vault that has
records or is damaged is replaced only with --force. If the command is
interrupted, the vault is either the old one or the restored one.`,
		Example: `  authsome vault restore vault.age
  authsome vault restore vault.age --identity key.txt --force`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return restore(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "decrypt with the age identities in `FILE` instead of a passphrase")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "read the passphrase from `FILE`")
	f.BoolVar(&o.force, "force", false, "replace a vault that has records or is damaged")
	return cmd
}

func restore(ctx context.Context, a *app, path string, o *restoreOptions) error {
	f, err := regular.Open(path)
	if err != nil {
		return exit.Usagef("%v", err)
	}
	defer f.Close()
	if !vault.IsBackup(f) {
		return fmt.Errorf("%s: %w: not a file in the age format", path, vault.ErrNotBackup)
	}
	identities, err := o.ageIdentities(a)
	if err != nil {
		return err
	}
	b, err := vault.ReadBackup(f, identities...)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p, err := a.profileToRestore(b)
	if err != nil {
		return err
	}
	key, err := a.opener().MasterKey()
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	err = vault.Restore(ctx, p.Dir, key, b, o.force)
	if _, damaged := errors.AsType[*vault.DamageError](err); damaged || errors.Is(err, vault.ErrNotEmpty) {
		return exit.WithFlag(err, "--force")
	}
	if err != nil {
		return err
	}
	if err := p.Record(audit.Event{Event: audit.Restore, Outcome: "ok"}); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(backupView{b.Profile, path, len(b.Records)})
	}
	a.Infof("restored %s into profile %s, from a backup of %s", show.Plural(len(b.Records), "record"), b.Profile, b.Time.Format("2006-01-02 15:04 MST"))
	return nil
}

// maxIdentities limits the size of the file in --identity, in bytes.
const maxIdentities = 1 << 20

// ageIdentities returns the identities that decrypt the backup.
func (o *restoreOptions) ageIdentities(a *app) ([]age.Identity, error) {
	if o.identity == "" {
		passphrase, err := a.backupPassphrase(o.passphraseFile, false)
		if err != nil {
			return nil, err
		}
		i, err := age.NewScryptIdentity(passphrase.Reveal())
		return []age.Identity{i}, err
	}
	if o.passphraseFile != "" {
		return nil, exit.Usagef("--identity and --passphrase-file cannot be used together")
	}
	text, err := regular.ReadNamed(o.identity, maxIdentities)
	if err != nil {
		return nil, exit.Usagef("--identity: %v", err)
	}
	all, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, exit.Usagef("--identity %s: not a file of age identities", o.identity)
	}
	return all, nil
}

// profileToRestore returns the profile that was backed up, and creates it if it does
// not exist. It is an error if --profile or AUTHSOME_PROFILE names another one.
func (a *app) profileToRestore(b *vault.Backup) (*opener.Profile, error) {
	if named := a.opener().NamedProfile(); named != "" && named != b.Profile {
		return nil, exit.WithFlag(fmt.Errorf("%w: %s, not %s", vault.ErrOtherProfile, b.Profile, named), "--profile "+b.Profile)
	}
	return a.opener().Ensure(b.Profile)
}
