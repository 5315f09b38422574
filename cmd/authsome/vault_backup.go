package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/durable"
)

type backupOptions struct {
	recipients     []string
	passphraseFile string
	force          bool
}

func newVaultBackupCmd(a *app) *cobra.Command {
	o := &backupOptions{}
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write the vault to an encrypted file",
		Long: `Backup writes all records of the profile's vault to FILE in the age format:
encrypted, and authenticated to the last byte. It asks for a passphrase, or
reads one from a file, or encrypts to age recipients. The file does not contain
the master key, and restoring it does not need the key.

A backup is recorded in the audit log, and refused behind the proxy.`,
		Example: `  authsome vault backup vault.age
  authsome vault backup vault.age --passphrase-file /run/secrets/backup
  authsome vault backup vault.age \
      --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return backup(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.recipients, "recipient", nil, "encrypt to the age `RECIPIENT` instead of a passphrase (repeatable)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "read the passphrase from `FILE`")
	f.BoolVar(&o.force, "force", false, "replace the file if it exists")
	return cmd
}

func backup(ctx context.Context, a *app, path string, o *backupOptions) error {
	if err := checkBackupPath(path, o.force); err != nil {
		return err
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	to, err := o.ageRecipients(a)
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	if err := a.recordNow(ctx, audit.Event{Event: audit.Backup, Outcome: "ok"}); err != nil {
		return err
	}
	var sealed bytes.Buffer
	b, err := v.Backup(ctx, &sealed, to...)
	if err != nil {
		return err
	}
	if err := durable.Replace(path, sealed.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if a.JSON {
		return a.PrintJSON(backupView{b.Profile, path, len(b.Records)})
	}
	a.Infof("backed up %s of profile %s to %s", show.Plural(len(b.Records), "record"), b.Profile, path)
	return nil
}

// checkBackupPath finds out before a passphrase is asked for whether the file can be
// written.
func checkBackupPath(path string, force bool) error {
	if err := checkDirectory(filepath.Dir(path), ""); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		return exit.Usagef("%s is a directory", path)
	case !force:
		return exit.WithFlag(fmt.Errorf("%s already exists", path), "--force")
	}
	return nil
}

// backupView is the shape of --json, of backup and restore.
type backupView struct {
	Profile string `json:"profile"`
	File    string `json:"file"`
	Records int    `json:"records"`
}

// ageRecipients returns the recipients that the backup is encrypted to. A value of
// --recipient that is not valid is not printed: it may be an identity, which is a
// secret.
func (o *backupOptions) ageRecipients(a *app) ([]age.Recipient, error) {
	if len(o.recipients) == 0 {
		passphrase, err := a.backupPassphrase(o.passphraseFile, true)
		if err != nil {
			return nil, err
		}
		r, err := age.NewScryptRecipient(passphrase.Reveal())
		return []age.Recipient{r}, err
	}
	if o.passphraseFile != "" {
		return nil, exit.Usagef("--recipient and --passphrase-file cannot be used together")
	}
	var all []age.Recipient
	for _, text := range o.recipients {
		r, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, exit.Usagef("--recipient: not an age recipient; recipients begin with age1")
		}
		all = append(all, r...)
	}
	return all, nil
}
