package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/secret"
)

// Change is a change of a home's master key: a new key, in the same place or in
// another one.
type Change struct {
	To Place
	// Reseal also replaces the vaults' data keys and seals every record again.
	Reseal bool
	// Passphrase is the new passphrase for ModePassphrase. If it is zero, the
	// current one stays.
	Passphrase secret.String
}

// Errors of a change.
var (
	// ErrSamePlace means that the key is already kept at that place.
	ErrSamePlace = errors.New("the master key is already kept there")
	// ErrKeyReadOnly means that the key in a file cannot be replaced, because a
	// container runtime provides the file.
	ErrKeyReadOnly = errors.New("the master key file cannot be replaced")
)

// Change creates a new master key, wraps the data keys of all vaults of the home
// under it, and deletes the old key. If it is interrupted at any moment, every
// vault can still be opened, and [Keeper.Resume] continues. It first finishes an
// earlier change that was interrupted.
func (k *Keeper) Change(ctx context.Context, c Change) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	release, err := k.lock(ctx, exclusive)
	if err != nil {
		return err
	}
	defer release()
	if err := k.resume(ctx); err != nil {
		return fmt.Errorf("finish the interrupted change: %w", err)
	}
	p, err := k.Places()
	if err != nil {
		return err
	}
	current, err := k.read(p)
	if err != nil {
		return err
	}
	if err := k.checkOpensAll(current); err != nil {
		return err
	}
	next := c.To
	if next.Mode == ModeKeyring {
		next.Account = "master_key " + rand.Text()[:8]
	}
	p.Next, p.Reseal = &next, c.Reseal
	if err := k.storeNext(p, c.Passphrase); err != nil {
		return err
	}
	return k.resume(ctx)
}

// storeNext saves the next place and stores a new key there.
func (k *Keeper) storeNext(p Places, passphrase secret.String) (err error) {
	path := p.Next.pending(k.Home)
	if p.Next.Mode == ModeFile {
		if path, err = k.checkFile(p); err != nil {
			return err
		}
	}
	var d *kdf
	if p.Next.Mode == ModePassphrase {
		if d, err = k.nextKDF(p, passphrase); err != nil {
			return err
		}
	}
	// A file that an earlier change left at the pending path was never used.
	if path != "" {
		if err := removeFile(path); err != nil {
			return err
		}
	}
	if err := k.Save(p); err != nil {
		return err
	}
	if err := k.step("save the next place"); err != nil {
		return err
	}
	if path != "" || p.Next.Mode == ModeKeyring {
		if err := k.store(*p.Next, path, newMasterKey(), d); err != nil {
			return errors.Join(fmt.Errorf("store the new master key: %w", err), k.clearNext(p))
		}
	}
	return k.step("store the new key")
}

// checkFile returns the path at which to write a new key for ModeFile. It returns
// "" if the file already has a key, which then becomes the master key.
func (k *Keeper) checkFile(p Places) (path string, err error) {
	base := p.Next.base(k.Home)
	if !filepath.IsAbs(base) {
		return "", fmt.Errorf("master key file %q: not an absolute path", base)
	}
	if main := (Place{Mode: ModeLocalKey}).base(k.Home); base == main || base == (Place{Mode: ModeLocalKey}).pending(k.Home) {
		return "", fmt.Errorf("%s is the file of mode %s: %w", base, ModeLocalKey, ErrSamePlace)
	}
	if base == p.base(k.Home) {
		// Replacing the file needs a second file in its directory.
		f, err := os.CreateTemp(filepath.Dir(base), ".authsome-*")
		if err != nil {
			return "", fmt.Errorf("%s: %w: %w", base, ErrKeyReadOnly, err)
		}
		f.Close()
		os.Remove(f.Name())
		return p.Next.pending(k.Home), nil
	}
	if missing(base) {
		return p.Next.pending(k.Home), nil
	}
	f, err := readKeyFile(base, checkSecret)
	if err != nil {
		return "", err
	}
	if f.KDF != nil {
		return "", fmt.Errorf("%s: the key in it needs a passphrase, which mode %s does not support", base, ModeFile)
	}
	return "", nil
}

// Resume finishes an interrupted change, if there is one. It waits for another
// process that is changing the key. It reports whether the change has moved the key to
// its new place now.
func (k *Keeper) Resume(ctx context.Context) (moved bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, err := k.Places()
	if err != nil || !before.changing() {
		return false, err
	}
	release, err := k.lock(ctx, exclusive)
	if err != nil {
		return false, err
	}
	defer release()
	if err := k.resume(ctx); err != nil || before.Next == nil {
		return false, err
	}
	now, err := k.Places()
	return err == nil && now.Place == *before.Next, err
}

// resume continues from the saved places. Each step may already have been done by
// an interrupted change.
func (k *Keeper) resume(ctx context.Context) error {
	p, err := k.Places()
	if err != nil || !p.changing() {
		return err
	}
	if p.Next != nil {
		next, err := k.nextKey(p)
		if errors.Is(err, fs.ErrNotExist) {
			return k.abandon(p)
		}
		if err != nil {
			return fmt.Errorf("read the new master key: %w", err)
		}
		if err := k.rewrapAll(ctx, p, next); err != nil {
			return err
		}
		old := p.Place
		p.Place, p.Previous, p.Next, p.Reseal = *p.Next, &old, nil, false
		p.Changed = time.Now().UTC().Truncate(time.Second)
		if err := k.Save(p); err != nil {
			return err
		}
		if err := k.step("save the new place"); err != nil {
			return err
		}
	}
	// The old key is deleted only after a check that the new one alone opens every
	// vault.
	alone, err := k.readPlace(p.Place, p.currentFile(k.Home), &passphrases{ask: k.Passphrase, reload: k.loaded})
	if err != nil {
		return fmt.Errorf("read the new master key: %w", err)
	}
	if err := k.checkOpensAll(alone); err != nil {
		return err
	}
	if err := k.removePrevious(p); err != nil {
		return err
	}
	if err := k.step("remove the old key"); err != nil {
		return err
	}
	p.Previous = nil
	if err := k.Save(p); err != nil {
		return err
	}
	return k.step("save that the old key is removed")
}

func (k *Keeper) nextKey(p Places) (*MasterKey, error) {
	return k.readPlace(*p.Next, p.nextFile(k.Home), &passphrases{ask: k.Passphrase, reload: k.loaded, next: true})
}

// abandon ends a change whose new key was never stored.
func (k *Keeper) abandon(p Places) error {
	m, err := k.read(p)
	if err == nil {
		err = k.checkOpensAll(m)
	}
	if err != nil {
		return fmt.Errorf("the new master key is lost: %w", err)
	}
	return k.clearNext(p)
}

func (k *Keeper) clearNext(p Places) error {
	p.Next, p.Reseal = nil, false
	return k.Save(p)
}

// rewrapAll moves every vault to the next key.
func (k *Keeper) rewrapAll(ctx context.Context, p Places, next *MasterKey) error {
	all, err := k.read(p)
	if err != nil {
		return err
	}
	dirs, err := k.vaultDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		r := rewrapping{v: &Vault{dir: dir}, from: all, to: next, step: k.step}
		if err := r.run(ctx, p.Reseal); err != nil {
			return fmt.Errorf("profile %s: %w", filepath.Base(dir), err)
		}
	}
	return nil
}

// checkOpensAll checks that a key opens every vault.
func (k *Keeper) checkOpensAll(m *MasterKey) error {
	dirs, err := k.vaultDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		f, err := readVaultFile(filepath.Join(dir, "vault.json"))
		if err == nil {
			_, err = m.unwrapAll(f, nil)
		}
		if err != nil {
			return fmt.Errorf("profile %s: %w", filepath.Base(dir), err)
		}
	}
	return nil
}

// removePrevious gives the new key its final name and deletes the old key. A file
// of ModeFile is not deleted: it belongs to the user.
func (k *Keeper) removePrevious(p Places) error {
	base, pending := p.base(k.Home), p.pending(k.Home)
	if base != "" && !missing(pending) {
		if err := durable.Rename(pending, base); err != nil {
			return fmt.Errorf("rename the new master key: %w", err)
		}
	}
	switch p.Previous.Mode {
	case ModeKeyring:
		if p.Mode == ModeKeyring && p.account() == p.Previous.account() {
			return nil
		}
		return keyringDelete(p.Previous.account())
	case ModeLocalKey, ModePassphrase:
		if old := p.Previous.base(k.Home); old != base {
			return removeFile(old)
		}
	}
	return nil
}

// removeFile deletes a file durably. It succeeds if the file does not exist.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("remove the old master key: %w", err)
	}
	return durable.SyncDir(filepath.Dir(path))
}

func (k *Keeper) step(name string) error {
	if k.afterStep == nil {
		return nil
	}
	return k.afterStep(name)
}
