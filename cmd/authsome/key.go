package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/vault"
)

func newKeyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Short: "Show, replace and move the master key",
		Long: `The master key encrypts the key of each profile's vault. It can be kept in four
places: in the file master.key of the home (local_key), in the system's keyring
(keyring), in master.key encrypted with a passphrase (passphrase), or in a file
that for example a container runtime provides (file).`,
		Example: `  authsome key status
  authsome key rotate
  authsome key mode keyring`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newKeyStatusCmd(a), newKeyRotateCmd(a), newKeyModeCmd(a))
	return cmd
}

// changeKey changes the master key, records that in the audit log and reports it. The
// opener is the app's, or one that ignores the variable.
func changeKey(ctx context.Context, a *app, o *opener.Opener, c vault.Change) error {
	k, err := o.Keeper()
	if err != nil {
		return err
	}
	before, err := k.Places()
	if err != nil {
		return err
	}
	// The audit log's key is derived from the vault, so a home without a master key gets
	// one first, and a vault.
	profile, err := o.Profile()
	if err != nil {
		return err
	}
	v, err := profile.Vault()
	if err != nil {
		return err
	}
	done := a.Slow("the vaults of all profiles to be encrypted with the new key")
	err = k.Change(ctx, c)
	done()
	if _, errVault := v.Generation(); err == nil {
		err = errVault // after the change, this makes the vault read its new keys
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
	a.opener().WarnKeyFile(c.To)
	if before.Mode == vault.ModeFile && before.Place != c.To {
		a.Infof("left %s as it is; its key no longer opens this home", before.File)
	}
	if a.JSON {
		return keyStatus(a, o)
	}
	a.Infof("created a new master key, kept as %s", c.To.Mode)
	if c.Reseal {
		a.Infof("encrypted every record with a new key")
	}
	return nil
}

// refuseKeyChange refuses a change of the master key in a home where a vault of the
// Python authsome would become unreadable.
func (a *app) refuseKeyChange() error {
	h, err := a.home()
	if err != nil {
		return err
	}
	stores, err := pythonhome.Stores(h.Dir)
	if err != nil || len(stores) == 0 {
		return err
	}
	return exit.WithCommand(fmt.Errorf("only this master key opens %s, a vault of the Python authsome: import that vault and delete the file first", stores[0]),
		"import --authsome %s", suggest.Words(h.Dir))
}
