package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Errors of [Restore].
var (
	// ErrNotEmpty means that the vault has records, and that force was not given.
	ErrNotEmpty = errors.New("the vault has records that restoring would replace")
	// ErrOtherProfile means that a backup belongs to another profile.
	ErrOtherProfile = errors.New("the backup belongs to another profile")
)

// Restore replaces the content of the vault in dir by the content of the backup,
// sealed under the vault's own key, whatever state the vault is in. It replaces
// records, or a damaged vault, only with force. If the process is killed, the
// vault is either unchanged or restored, except that a vault that could not be
// opened before may have to be restored again.
func Restore(ctx context.Context, dir string, master *MasterKey, b *Backup, force bool) error {
	dir = filepath.Clean(dir)
	if name := filepath.Base(dir); b.Profile != name {
		return fmt.Errorf("%w: %s, not %s", ErrOtherProfile, b.Profile, name)
	}
	v, err := Open(dir, master)
	var newFile *vaultFile // if vault.json cannot be used
	if isDamage(err) || errors.Is(err, ErrWrongKey) {
		if !force {
			return err
		}
		v, newFile, err = generateVault(dir, master)
	}
	if err != nil {
		return err
	}
	unlock, err := v.lock(ctx, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	store := v.files()
	seq, err := v.checkEmpty(store)
	if err != nil && !(force && (isDamage(err) || errors.Is(err, ErrNotEmpty))) {
		return err
	}
	if err := v.replace(store, seq, slices.Concat(b.Records, b.Retired), newFile); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// checkEmpty returns [ErrNotEmpty] if the vault has records. Even with an error it
// returns the number for the next generation.
func (v *Vault) checkEmpty(store *files) (next uint64, err error) {
	next = uint64(time.Now().Unix()) // for a damaged vault: a number that no process has seen
	g, dir, err := store.current()
	if err != nil {
		return next, err
	}
	next = g.Seq + 1
	if dir != store.path("vault") {
		if err := store.promote(); err != nil {
			return next, fmt.Errorf("restore: %w", err)
		}
		dir = store.path("vault")
	}
	return next, store.read(g, dir, func(seq uint64, t storeTx) error {
		tx := &Tx{v: v, t: t, seq: seq}
		if err := tx.checkHead(); err != nil {
			return err
		}
		return t.list("", func(key string, _ []byte) error {
			if key != headKey {
				return ErrNotEmpty
			}
			return nil
		})
	})
}

// replace writes a store with the records. If newFile is not nil, it replaces
// vault.json too.
func (v *Vault) replace(store *files, seq uint64, records []Record, newFile *vaultFile) error {
	sealed := make(memory)
	tx := &Tx{v: v, t: sealed, writable: true}
	for _, r := range records {
		if err := tx.Put(r.Key, r.Value); err != nil {
			return err
		}
	}
	if err := tx.putHead(seq); err != nil {
		return err
	}
	if err := store.prepare(seq, sealed); err != nil {
		return err
	}
	if newFile != nil {
		if err := v.writeVaultFile(*newFile); err != nil {
			return err
		}
	}
	if err := store.commit(); err != nil {
		return err
	}
	return store.promote()
}
