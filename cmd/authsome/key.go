package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

func newKeyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Short: "Show, replace and move the master key",
		Long: `Key is about the master key, under which the key of each profile's vault is
sealed. It can be kept in four ways: in the file master.key of the home
(local_key), in the system's keyring (keyring), in that file under a passphrase
(passphrase), or in a file that a container's runtime provides (file).`,
		Example: `  authsome key status
  authsome key rotate
  authsome key mode keyring`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newKeyStatusCmd(a), newKeyRotateCmd(a), newKeyModeCmd(a))
	return cmd
}

func newKeyStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show where the master key is kept, and what it opens",
		Long: `Status shows how and where the master key is kept, since when, and the vaults
that are under it. It reads no key.`,
		Example: "  authsome key status --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return keyStatus(a, a.opener()) },
	}
}

// keyVaultView is one vault in the status.
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

// keyVaults are the profiles, and the vaults of those that have one.
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

func newKeyRotateCmd(a *app) *cobra.Command {
	var reseal bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make a new master key for all vaults",
		Long: `Rotate makes a new master key, seals the keys of all profiles' vaults under it,
and removes the old one. With --reseal every vault gets a new key of its own as
well, and every record is sealed anew: for when a vault's directory and its key
may have been copied together.

It can be interrupted at any moment; the next command goes on with it. Running
proxies notice and go on serving.`,
		Example: `  authsome key rotate
  authsome key rotate --reseal`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.refuseKeyChange("key rotate"); err != nil {
				return err
			}
			p, err := a.opener().KeyPlaces()
			if err != nil {
				return err
			}
			return changeKey(cmd.Context(), a, a.opener(), vault.Change{To: p.Place, Reseal: reseal})
		},
	}
	cmd.Flags().BoolVar(&reseal, "reseal", false, "replace the vaults' own keys too, and seal every record anew")
	return cmd
}

type keyModeOptions struct {
	file           string
	passphraseFile string
}

func newKeyModeCmd(a *app) *cobra.Command {
	o := &keyModeOptions{}
	cmd := &cobra.Command{
		Use: "mode MODE", Short: "Keep the master key in another way",
		Long: `Mode makes a new master key in the place that MODE names, seals the keys of all
vaults under it, and removes the old one:

  local_key   the file master.key in the home
  keyring     the system's keyring
  passphrase  master.key, under a passphrase that is asked for twice; in this
              mode already, it changes the passphrase
  file        the file that --file names; a key that is in it is used

It can be interrupted at any moment; the next command goes on with it.`,
		Example: `  authsome key mode keyring
  authsome key mode passphrase
  authsome key mode file --file /run/secrets/authsome-key`,
		Args: exactArgs("MODE"),
		RunE: func(cmd *cobra.Command, args []string) error { return keyModeChange(cmd.Context(), a, args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "with mode file: the `FILE` (default: AUTHSOME_MASTER_KEY_FILE)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "with mode passphrase: read the new passphrase from `FILE`")
	return cmd
}

func keyModeChange(ctx context.Context, a *app, mode string, o *keyModeOptions) error {
	modes := []string{vault.ModeLocalKey, vault.ModeKeyring, vault.ModePassphrase, vault.ModeFile}
	if !slices.Contains(modes, mode) {
		return exit.WithCommand(exit.Usagef("unknown mode %q", mode), "key mode %s", strings.Join(modes, "|"))
	}
	if err := a.refuseKeyChange("key mode"); err != nil {
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
	if env := a.Getenv(keyFileVariable); mode == vault.ModeFile && env != "" && c.To.File == p.File {
		// The variable may name the new place, and config.json the present one.
		replaced, err := a.keyFileReplaced()
		if err != nil {
			return err
		}
		if replaced {
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

// keyFileVariable names a file with the master key, and overrides config.json.
const keyFileVariable = "AUTHSOME_MASTER_KEY_FILE"

// keyFileReplaced reports whether the key that the variable names is not the vault's,
// or does not exist yet.
func (a *app) keyFileReplaced() (bool, error) {
	_, err := a.vault()
	if errors.Is(err, vault.ErrWrongKey) || errors.Is(err, vault.ErrNoKeyFile) {
		return true, nil
	}
	return false, err
}

func (a *app) keyFileFlag(flag string, present vault.Place) (string, error) {
	file := cmp.Or(flag, a.Getenv(keyFileVariable))
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

// changeKey changes the master key and reports the result.
func changeKey(ctx context.Context, a *app, o *opener.Opener, c vault.Change) error {
	k, err := o.Keeper()
	if err != nil {
		return err
	}
	before, err := k.Places()
	if err != nil {
		return err
	}
	// A home without a key gets one, and with it the vault for the audit log's key.
	profile, err := o.Profile()
	if err != nil {
		return err
	}
	v, err := profile.Vault()
	if err != nil {
		return err
	}
	done := a.Slow("the vaults of all profiles to be sealed under the new key")
	err = k.Change(ctx, c)
	done()
	if _, errVault := v.Generation(); err == nil {
		err = errVault // reading the generation makes the vault read its new keys
	}
	outcome := "ok"
	if err != nil {
		outcome = exit.Judge(err).Name
	}
	if recordErr := profile.Record(audit.Event{Event: audit.KeyRotation, Outcome: outcome}); err == nil {
		err = recordErr
	}
	if err != nil {
		return err
	}
	if a.Getenv(keyFileVariable) != "" && c.To.Mode != vault.ModeFile {
		a.Warnf("%s is set and overrides config.json: unset it", keyFileVariable)
	}
	if before.Mode == vault.ModeFile && before.Place != c.To {
		a.Infof("left %s as it is; its key no longer opens this home", before.File)
	}
	if a.JSON {
		return keyStatus(a, o)
	}
	a.Infof("created a new master key, kept as %s", c.To.Mode)
	if c.Reseal {
		a.Infof("sealed every record under a new key")
	}
	return nil
}

// refuseKeyChange refuses to change keys behind the proxy, and where the change would
// make a vault of the Python authsome unreadable.
func (a *app) refuseKeyChange(command string) error {
	if err := a.refuseBehindProxy(command, "changes keys"); err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	stores, err := pythonhome.Stores(h.Dir)
	if err != nil || len(stores) == 0 {
		return err
	}
	return exit.WithCommand(fmt.Errorf("only this master key opens %s, a vault of the Python authsome: import that vault and delete the file first", stores[0]),
		"import --authsome %s", h.Dir)
}

// newPassphrase is the passphrase to change to: from a file, or asked for twice.
// AUTHSOME_PASSPHRASE_FILE names the new one if there is none yet.
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
