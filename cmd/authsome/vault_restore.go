package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
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
		Use: "restore FILE", Short: "Make the vault what a backup holds",
		Long: `Restore reads a backup to its end, and then puts its records in the place of the
vault's, sealed under this vault's own key. The profile is the backup's, and is
made if it is missing. A vault that has records, or is damaged, is replaced only
with --force. Interrupted at any moment, the vault is the old or the new one.`,
		Example: `  authsome vault restore vault.age
  authsome vault restore vault.age --identity key.txt --force`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return restore(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.identity, "identity", "", "decrypt with the age identities in `FILE` in place of a passphrase")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "read the passphrase from `FILE`")
	f.BoolVar(&o.force, "force", false, "replace the records of the vault, or a damaged vault")
	return cmd
}

func restore(ctx context.Context, a *app, path string, o *restoreOptions) error {
	f, err := os.Open(path)
	if err != nil {
		return usageErrorf("%v", err)
	}
	defer f.Close()
	if !vault.IsBackup(f) {
		return fmt.Errorf("%s: %w", path, vault.ErrNotBackup)
	}
	as, err := o.as(a)
	if err != nil {
		return err
	}
	b, err := vault.ReadBackup(f, as...)
	if err != nil {
		return err
	}
	p, err := a.profileToRestore(b)
	if err != nil {
		return err
	}
	key, err := a.masterKey()
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	err = vault.Restore(ctx, p.Dir, key, b, o.force)
	if _, damaged := errors.AsType[*vault.DamageError](err); damaged || errors.Is(err, vault.ErrNotEmpty) {
		return withFlag(err, "--force")
	}
	if err != nil {
		return err
	}
	if err := a.record(audit.Event{Event: audit.Restore, Outcome: "ok"}); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(backupView{b.Profile, path, len(b.Records)})
	}
	a.infof("%s of %s are in the vault of profile %s", plural(len(b.Records), "record"), b.Time.Format("2006-01-02 15:04 MST"), b.Profile)
	return nil
}

func (o *restoreOptions) as(a *app) ([]age.Identity, error) {
	if o.identity == "" {
		passphrase, err := a.backupPassphrase(o.passphraseFile, false)
		if err != nil {
			return nil, err
		}
		i, err := age.NewScryptIdentity(passphrase)
		return []age.Identity{i}, err
	}
	if o.passphraseFile != "" {
		return nil, usageErrorf("--identity and --passphrase-file exclude each other")
	}
	f, err := os.Open(o.identity)
	if err != nil {
		return nil, usageErrorf("--identity: %v", err)
	}
	defer f.Close()
	all, err := age.ParseIdentities(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, usageErrorf("--identity %s: not a file of age identities", o.identity)
	}
	return all, nil
}

// profileToRestore is the one that the backup is of, made if it is missing.
func (a *app) profileToRestore(b *vault.Backup) (home.Profile, error) {
	h, err := a.home()
	if err != nil {
		return home.Profile{}, err
	}
	for _, named := range []string{a.profileName, a.getenv("AUTHSOME_PROFILE")} {
		if named != "" && named != b.Profile {
			return home.Profile{}, withFlag(fmt.Errorf("%w: %s, not %s", vault.ErrOtherProfile, b.Profile, named), "--profile "+b.Profile)
		}
		if named != "" {
			break
		}
	}
	a.profileName = b.Profile
	return h.EnsureProfile(b.Profile)
}
