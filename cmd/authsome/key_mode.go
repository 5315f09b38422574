package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

type keyModeOptions struct {
	file           string
	passphraseFile string
}

// keyModes are the modes of the master key.
var keyModes = []string{vault.ModeLocalKey, vault.ModeKeyring, vault.ModePassphrase, vault.ModeFile}

func newKeyModeCmd(a *app) *cobra.Command {
	o := &keyModeOptions{}
	cmd := &cobra.Command{
		Use: "mode MODE", Short: "Keep the master key in another place",
		Long: `Mode creates a new master key in the place that MODE names, encrypts the keys of
all vaults with it, and deletes the old key:

  local_key   the file master.key in the home
  keyring     the system's keyring
  passphrase  master.key, encrypted with a passphrase that is asked for twice;
              if this is already the mode, the passphrase is changed
  file        the file that --file names; if it contains a key, that key is used

A file outside the home is not deleted. If the command is interrupted, the next
command that opens a vault finishes the change.`,
		Example: `  authsome key mode keyring
  authsome key mode passphrase
  authsome key mode file --file /run/secrets/authsome-key`,
		Args: exactArgs("MODE"),
		RunE: func(cmd *cobra.Command, args []string) error { return keyMode(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "with mode file: the `FILE` (default: AUTHSOME_MASTER_KEY_FILE)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "with mode passphrase: read the new passphrase from `FILE`")
	return cmd
}

func keyMode(ctx context.Context, a *app, mode string, o *keyModeOptions) error {
	if !slices.Contains(keyModes, mode) {
		return exit.Usagef("unknown mode %q: use local_key, keyring, passphrase or file", mode)
	}
	if err := a.refuseKeyChange(); err != nil {
		return err
	}
	opened := a.opener()
	p, err := opened.KeyPlaces()
	if err != nil {
		return err
	}
	c := vault.Change{To: vault.Place{Mode: mode}}
	if mode == vault.ModeFile {
		if c.To.File, err = a.keyFileFlag(o.file, p.Place); err != nil {
			return err
		}
	}
	if mode == vault.ModeFile && a.Getenv(opener.KeyFileVariable) != "" && c.To.File == p.File {
		// The variable names the present place, or it names the new place and config.json
		// the present one.
		isNew, err := a.keyFileIsNew()
		if err != nil {
			return err
		}
		if isNew {
			opened = opened.IgnoringKeyFile()
			defer opened.Close()
			if p, err = opened.KeyPlaces(); err != nil {
				return err
			}
		}
	}
	if mode == p.Mode && mode != vault.ModePassphrase && c.To.File == p.File {
		return exit.WithCommand(fmt.Errorf("the master key is already kept as %s", mode), "key rotate")
	}
	if mode == vault.ModePassphrase {
		if c.Passphrase, err = a.newPassphrase(o.passphraseFile, p.Mode == mode); err != nil {
			return err
		}
	}
	return changeKey(ctx, a, opened, c)
}

// keyFileIsNew reports whether the file that the variable names does not exist, or has
// a key that does not open the vault.
func (a *app) keyFileIsNew() (bool, error) {
	_, err := a.vault()
	if errors.Is(err, vault.ErrWrongKey) || errors.Is(err, vault.ErrNoKeyFile) {
		return true, nil
	}
	return false, err
}

// keyFileFlag returns the absolute path of the file to keep the key in: that of --file,
// else of the variable, else the present one.
func (a *app) keyFileFlag(flag string, present vault.Place) (string, error) {
	file := cmp.Or(flag, a.Getenv(opener.KeyFileVariable))
	if file == "" && present.Mode == vault.ModeFile {
		file = present.File
	}
	if file == "" {
		return "", exit.WithCommand(exit.Usagef("mode file needs a file"), "key mode file --file FILE")
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("--file: %w", err)
	}
	return path, nil
}

// newPassphrase returns the passphrase to change to, from a file or asked for twice. If
// the key has a passphrase at present, AUTHSOME_PASSPHRASE_FILE names that one, else it
// names the new one.
func (a *app) newPassphrase(file string, present bool) (p secret.String, err error) {
	if file == "" && !present {
		file = a.Getenv("AUTHSOME_PASSPHRASE_FILE")
	}
	if file == "" {
		if !a.canAsk() {
			return p, exit.WithCommand(fmt.Errorf("a new passphrase is needed: %w", vault.ErrNoPassphrase), "key mode passphrase --passphrase-file FILE")
		}
		return a.choosePassphrase("New passphrase: ", minPassphrase)
	}
	if p, err = vault.ReadPassphrase(file); err == nil && len(p.Reveal()) < minPassphrase {
		err = exit.Usagef("%s: use at least %d characters; several words make a good passphrase", file, minPassphrase)
	}
	return p, err
}
