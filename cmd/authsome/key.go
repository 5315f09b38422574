package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
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
		RunE:    func(*cobra.Command, []string) error { return keyStatus(a) },
	}
}

// keyVaultView is one vault in the status.
type keyVaultView struct {
	Profile string   `json:"profile"`
	Vault   string   `json:"vault"`
	KIDs    []string `json:"kids"`
}

func keyStatus(a *app) error {
	h, err := a.home()
	if err != nil {
		return err
	}
	p, err := a.keyPlaces(h)
	if err != nil {
		return err
	}
	names, err := h.Profiles()
	if err != nil {
		return err
	}
	vaults := []keyVaultView{}
	for _, name := range names {
		profile, err := h.Profile(name)
		if err != nil {
			return err
		}
		id, kids, err := vault.Describe(profile.Dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // no vault yet
		}
		if err != nil {
			return err
		}
		vaults = append(vaults, keyVaultView{name, id, kids})
	}
	where, changing := p.Where(h.Dir), p.Next != nil || p.Previous != nil
	since := p.Changed
	if info, err := os.Stat(where); since.IsZero() && err == nil {
		since = info.ModTime().UTC().Truncate(time.Second)
	}
	if a.json {
		var at *string
		if !since.IsZero() {
			s := since.Format(time.RFC3339)
			at = &s
		}
		return a.printJSON(struct {
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
		rows = append(rows, []string{"since", since.Format(time.DateOnly) + ", " + relative(since, time.Now())})
	}
	rows = append(rows, []string{"opens", plural(len(vaults), "vault") + " of " + plural(len(names), "profile")})
	for _, v := range vaults {
		rows = append(rows, []string{"", v.Profile + ": data key " + strings.Join(v.KIDs, ", ")})
	}
	if changing {
		rows = append(rows, []string{"change", "interrupted; the next command that opens the vault goes on with it"})
	}
	facts(a.stdout, rows)
	return nil
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
			h, err := a.home()
			if err != nil {
				return err
			}
			p, err := a.keyPlaces(h)
			if err != nil {
				return err
			}
			return changeKey(cmd.Context(), a, "key rotate", vault.Change{To: p.Place, Reseal: reseal})
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
		return withHint(usageErrorf("no mode %q", mode), "authsome key mode %s", strings.Join(modes, "|"))
	}
	if err := a.guardKey("key mode"); err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	p, err := a.keyPlaces(h)
	if err != nil {
		return err
	}
	c := vault.Change{To: vault.Place{Mode: mode}}
	if mode == vault.ModeFile {
		if c.To.File, err = a.keyFileFlag(o.file, p.Place); err != nil {
			return err
		}
	}
	if env := a.getenv("AUTHSOME_MASTER_KEY_FILE"); mode == vault.ModeFile && env != "" && c.To.File == p.File {
		// The variable may name the place to come, and config.json the present one.
		if p, err = a.configuredPlaces(h); err != nil {
			return err
		}
	}
	if mode == p.Mode && mode != vault.ModePassphrase && c.To.File == p.File {
		return withHint(fmt.Errorf("the master key is kept as %s already", mode), "authsome key rotate")
	}
	if mode == vault.ModePassphrase {
		if c.Passphrase, err = a.newPassphrase(o.passphraseFile, p.Mode == mode); err != nil {
			return err
		}
	}
	return changeKey(ctx, a, "key mode", c)
}

// configuredPlaces looks past AUTHSOME_MASTER_KEY_FILE, unless its key is the
// one that opens the vault.
func (a *app) configuredPlaces(h *home.Home) (vault.Places, error) {
	profile, err := a.profile()
	if err != nil {
		return vault.Places{}, err
	}
	if _, err := a.openProfileVault(profile); err != nil && !errors.Is(err, vault.ErrWrongKey) && !errors.Is(err, vault.ErrNoKeyFile) {
		return vault.Places{}, err
	} else if err != nil {
		a.ignoreKeyFile = true
	}
	return a.keyPlaces(h)
}

func (a *app) keyFileFlag(flag string, present vault.Place) (string, error) {
	if flag == "" {
		flag = a.getenv("AUTHSOME_MASTER_KEY_FILE")
	}
	if flag == "" && present.Mode == vault.ModeFile {
		flag = present.File
	}
	if flag == "" {
		return "", withHint(usageErrorf("mode file needs a file"), "authsome key mode file --file FILE")
	}
	path, err := filepath.Abs(flag)
	if err != nil {
		return "", fmt.Errorf("--file: %w", err)
	}
	return path, nil
}

// changeKey changes the master key and says what became of it.
func changeKey(ctx context.Context, a *app, command string, c vault.Change) error {
	if err := a.guardKey(command); err != nil {
		return err
	}
	k, err := a.keeper()
	if err != nil {
		return err
	}
	before, err := k.Places()
	if err != nil {
		return err
	}
	// A home that has no key yet gets one, and with it the vault that the event is
	// recorded under.
	v, err := a.vault()
	if err != nil {
		return err
	}
	done := a.slow("the vaults of all profiles to take the new key")
	err = k.Change(ctx, c)
	done()
	a.ignoreKeyFile = true // from now on what config.json says
	if _, errVault := v.Generation(); err == nil {
		err = errVault // and with it the vault has taken its new keys
	}
	outcome := "ok"
	if err != nil {
		outcome = judge(err).name
	}
	if recordErr := a.record(audit.Event{Event: audit.KeyRotation, Outcome: outcome}); err == nil {
		err = recordErr
	}
	if err != nil {
		return err
	}
	if file := a.getenv("AUTHSOME_MASTER_KEY_FILE"); file != "" && c.To.Mode != vault.ModeFile {
		a.warnf("AUTHSOME_MASTER_KEY_FILE is set and goes before config.json: unset it")
	}
	if before.Mode == vault.ModeFile && before.Place != c.To {
		a.infof("%s was left as it is; its key opens nothing of this home any more", before.File)
	}
	if a.json {
		return keyStatus(a)
	}
	a.infof("the master key is new, kept as %s", c.To.Mode)
	if c.Reseal {
		a.infof("every record is sealed under a new key")
	}
	return nil
}

// guardKey refuses to change keys for what runs behind the proxy, and where the
// change would take the key from the Python authsome's vaults.
func (a *app) guardKey(command string) error {
	if a.getenv("AUTHSOME_PROXY_MODE") != "" {
		return withHint(errors.New(command+" changes keys, and this runs behind the authsome proxy"), "run it in a terminal of your own")
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	stores, err := pythonhome.Stores(h.Dir)
	if err != nil {
		return err
	}
	if len(stores) > 0 {
		return withHint(fmt.Errorf("%s is a vault of the Python authsome, and this master key is the only one that opens it: import it and delete that file first", stores[0]),
			"authsome import --authsome %s", h.Dir)
	}
	return nil
}

// newPassphrase is the passphrase to come: from a file, or asked for twice.
// AUTHSOME_PASSPHRASE_FILE names the new one where there is none yet.
func (a *app) newPassphrase(file string, present bool) (p secret.String, err error) {
	if file == "" && !present {
		file = a.getenv("AUTHSOME_PASSPHRASE_FILE")
	}
	if file == "" {
		if !a.canAsk() {
			return p, withHint(fmt.Errorf("a new passphrase is needed: %w", vault.ErrNoPassphrase), "authsome key mode passphrase --passphrase-file FILE")
		}
		return a.choosePassphrase()
	}
	if p, err = vault.ReadPassphrase(file); err == nil && len(p.Reveal()) < minPassphrase {
		err = usageErrorf("%s: a passphrase has %d characters at least; several words make a good one", file, minPassphrase)
	}
	return p, err
}
