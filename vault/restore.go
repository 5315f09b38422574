package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

var (
	// ErrNotEmpty says that the vault to be restored has records.
	ErrNotEmpty = errors.New("the vault has records, which restoring would replace")
	// ErrOtherProfile says that a backup is of another profile.
	ErrOtherProfile = errors.New("the backup is of another profile")
)

// Restore makes the vault in dir hold what the backup holds and nothing else,
// sealed under the vault's own key, whatever state the vault is in. Only with
// force does it replace records, or a vault that is damaged. Killed anywhere, the
// vault is as it was or restored; one that could not be opened may have to be
// restored again.
func Restore(ctx context.Context, dir string, master *MasterKey, b *Backup, force bool) error {
	dir = filepath.Clean(dir)
	if name := filepath.Base(dir); b.Profile != name {
		return fmt.Errorf("%w: %s, not %s", ErrOtherProfile, b.Profile, name)
	}
	v, err := Open(dir, master)
	var anew *file
	if isDamage(err) || errors.Is(err, ErrWrongKey) {
		if !force {
			return err
		}
		// Not even its description can be used.
		v, anew, err = generate(dir, master)
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
	seq, err := v.makeWay(store)
	if err != nil && !(force && (isDamage(err) || errors.Is(err, ErrNotEmpty))) {
		return err
	}
	if err := v.replace(store, seq, slices.Concat(b.Records, b.Retired), anew); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// makeWay looks at what is to be replaced: that it is empty, or is not. It gives
// the number of the next generation, also with an error.
func (v *Vault) makeWay(store *files) (next uint64, err error) {
	next = uint64(time.Now().Unix()) // a number that no process has seen
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

func (v *Vault) replace(store *files, seq uint64, records []Record, anew *file) error {
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
	if anew != nil {
		if err := v.writeFile(*anew); err != nil {
			return err
		}
	}
	if err := store.commit(); err != nil {
		return err
	}
	return store.promote()
}

func isDamage(err error) bool {
	_, is := asDamage(err)
	return is
}
