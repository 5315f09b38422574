package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

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
		return withFlag(fmt.Errorf("there is a file %s already", path), "--force")
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
	if err := durable.Replace(path, sealed.Bytes(), 0o600); err != nil {
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
		return "", withFlag(usageErrorf("a passphrase is needed, and this is no terminal"), "--passphrase-file FILE")
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
