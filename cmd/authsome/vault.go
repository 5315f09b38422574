package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/authsome/authsome/audit"
	"github.com/authsome/authsome/home"
	"github.com/authsome/authsome/vault"
)

func newVaultCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "vault", Short: "Back up, restore and check the vault",
		Long: `The vault holds a profile's credentials. Vault backs it up into one encrypted
file, restores that, and checks every file and record.`,
		Example: `  authsome vault backup vault.age
  authsome vault restore vault.age
  authsome vault check`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newVaultBackupCmd(a), newVaultRestoreCmd(a), newVaultCheckCmd(a))
	return cmd
}

type backupOptions struct {
	recipients     []string
	passphraseFile string
	force          bool
}

func newVaultBackupCmd(a *app) *cobra.Command {
	o := &backupOptions{}
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write the vault into one encrypted file",
		Long: `Backup writes all records of the profile's vault into FILE, in the age format:
encrypted, and authenticated to the last byte. It asks for a passphrase, or takes
one from a file, or encrypts to age recipients, whose identity alone then opens
the file. The master key is neither needed to restore it nor in it.

It refuses to run behind the proxy, and is audited.`,
		Example: `  authsome vault backup vault.age
  authsome vault backup vault.age --passphrase-file /run/secrets/backup
  authsome vault backup vault.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return backup(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.recipients, "recipient", nil, "encrypt to the age `RECIPIENT` in place of a passphrase (repeatable)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "read the passphrase from `FILE`")
	f.BoolVar(&o.force, "force", false, "replace the file if there is one")
	return cmd
}

func backup(ctx context.Context, a *app, path string, o *backupOptions) error {
	if err := a.behindProxy("vault backup"); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil && !o.force {
		return withHint(fmt.Errorf("there is a file %s already", path), "add --force to replace it")
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	to, err := o.to(a)
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := a.recordNow(ctx, audit.Event{Event: audit.Backup, Outcome: "ok"}); err != nil {
		return err
	}
	var sealed bytes.Buffer
	b, err := v.Backup(ctx, &sealed, to...)
	if err != nil {
		return err
	}
	if err := writeWhole(path, sealed.Bytes()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if a.json {
		return a.printJSON(backupView{b.Profile, path, len(b.Records)})
	}
	a.infof("%s of profile %s are in %s", plural(len(b.Records), "record"), b.Profile, path)
	return nil
}

type backupView struct {
	Profile string `json:"profile"`
	File    string `json:"file"`
	Records int    `json:"records"`
}

// writeWhole writes a file that is there with all its content, or not at all.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

func (o *backupOptions) to(a *app) ([]age.Recipient, error) {
	if len(o.recipients) == 0 {
		passphrase, err := a.backupPassphrase(o.passphraseFile, true)
		if err != nil {
			return nil, err
		}
		r, err := age.NewScryptRecipient(passphrase)
		return []age.Recipient{r}, err
	}
	if o.passphraseFile != "" {
		return nil, usageErrorf("--recipient and --passphrase-file exclude each other")
	}
	var all []age.Recipient
	for _, text := range o.recipients {
		r, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, usageErrorf("--recipient: not an age recipient (they begin with age1)")
		}
		all = append(all, r...)
	}
	return all, nil
}

// backupPassphrase comes from a file or from the terminal, where a new one is
// asked for twice.
func (a *app) backupPassphrase(path string, anew bool) (string, error) {
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", usageErrorf("--passphrase-file: %v", err)
		}
		passphrase := strings.TrimRight(string(b), "\r\n")
		if passphrase == "" {
			return "", usageErrorf("--passphrase-file %s is empty", path)
		}
		return passphrase, nil
	}
	fd, ok := a.terminal()
	if !ok {
		option := "--recipient"
		if !anew {
			option = "--identity"
		}
		return "", withHint(usageErrorf("a passphrase is needed, and this is no terminal"), "add --passphrase-file FILE or %s", option)
	}
	ask := func(question string) (string, error) {
		fmt.Fprint(a.stderr, question)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(a.stderr)
		return string(b), err
	}
	passphrase, err := ask("Passphrase of the backup (not shown): ")
	if err != nil {
		return "", fmt.Errorf("read the passphrase: %w", err)
	}
	if passphrase == "" {
		return "", usageErrorf("no passphrase was given")
	}
	if anew {
		again, err := ask("The same again: ")
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		if again != passphrase {
			return "", usageErrorf("the two passphrases differ")
		}
	}
	return passphrase, nil
}

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
	if err := vault.Restore(ctx, p.Dir, key, b, o.force); err != nil {
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
			return home.Profile{}, withHint(fmt.Errorf("%w: %s, not %s", vault.ErrOtherProfile, b.Profile, named), "add --profile %s", b.Profile)
		}
		if named != "" {
			break
		}
	}
	a.profileName = b.Profile
	return h.EnsureProfile(b.Profile)
}

func newVaultCheckCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Look at every file and record of the vault",
		Long: `Check opens every record of the profile's vault and names each file and record
that is not as it was left. It changes nothing. It exits 7 if something is
damaged.`,
		Example: `  authsome vault check
  authsome vault check --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return check(cmd.Context(), a) },
	}
}

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

func check(ctx context.Context, a *app) error {
	p, err := a.profile()
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
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
	if a.json {
		if err := a.printJSON(view); err != nil || view.Sound {
			return err
		}
		return exitCode(exitStore)
	}
	for _, d := range view.Damage {
		a.printf("%s: %s\n", d.What, d.Reason)
	}
	if !view.Sound {
		return withHint(fmt.Errorf("the vault of profile %s is damaged: %w", p.Name, r.Damage[0]), "authsome vault restore FILE --force puts a backup in its place")
	}
	a.printf("profile %s: %s, all sound (generation %d)\n", p.Name, plural(r.Records, "record"), r.Generation)
	return nil
}
