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

// Change is what becomes of a home's master key: another key, in the same place
// or in another one.
type Change struct {
	To Place
	// Reseal replaces the vaults' data keys too and seals every record anew.
	Reseal bool
	// Passphrase is the new one of ModePassphrase. Without it the present one
	// stays.
	Passphrase secret.String
}

// Errors of a change.
var (
	// ErrSamePlace says that the key is kept there already.
	ErrSamePlace = errors.New("the master key is kept there already")
	// ErrKeyReadOnly says that a file is not one that the key in it can be
	// replaced in: a container's runtime provides it.
	ErrKeyReadOnly = errors.New("the master key's file cannot be replaced")
)

// Change makes a new master key, wraps the data keys of all the home's vaults
// under it, and removes the old one. Interrupted anywhere, every vault can be
// opened, and [Keeper.Resume] goes on. A change that was interrupted before is
// finished first.
func (k *Keeper) Change(ctx context.Context, c Change) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	release, err := k.lock(ctx, exclusive)
	if err != nil {
		return err
	}
	defer release()
	if err := k.resume(ctx); err != nil {
		return fmt.Errorf("finish the change that was interrupted: %w", err)
	}
	p, err := k.Places()
	if err != nil {
		return err
	}
	present, err := k.read(p)
	if err != nil {
		return err
	}
	if err := k.opensAll(present); err != nil {
		return err
	}
	next := c.To
	if next.Mode == ModeKeyring {
		next.Account = "master_key " + rand.Text()[:8]
	}
	p.Next, p.Reseal = &next, c.Reseal
	path := next.pending(k.Home)
	if next.Mode == ModeFile {
		if path, err = k.checkFile(p); err != nil {
			return err
		}
	}
	var d *kdf
	if next.Mode == ModePassphrase {
		if d, err = k.nextKDF(p, c.Passphrase); err != nil {
			return err
		}
	}
	// What a change before left at the pending name was never used.
	if path != "" {
		if err := removeFile(path); err != nil {
			return err
		}
	}
	if err := k.Save(p); err != nil {
		return err
	}
	if err := k.step("note the next place"); err != nil {
		return err
	}
	if path != "" || next.Mode == ModeKeyring {
		if err := k.store(next, path, newMasterKey(), d); err != nil {
			return errors.Join(fmt.Errorf("store the new master key: %w", err), k.forgetNext(p))
		}
	}
	if err := k.step("store the new key"); err != nil {
		return err
	}
	return k.resume(ctx)
}

// checkFile says where a new key for a file is to be written, or "" where the
// file has one already, which then becomes the master key.
func (k *Keeper) checkFile(p Places) (path string, err error) {
	base := p.Next.base(k.Home)
	if !filepath.IsAbs(base) {
		return "", fmt.Errorf("master key file %q: not an absolute path", base)
	}
	if main := (Place{Mode: ModeLocalKey}).base(k.Home); base == main || base == (Place{Mode: ModeLocalKey}).pending(k.Home) {
		return "", fmt.Errorf("%s is the file of mode %s: %w", base, ModeLocalKey, ErrSamePlace)
	}
	if base == p.base(k.Home) {
		// Replacing needs a name beside it.
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
		return "", fmt.Errorf("%s: a key under a passphrase cannot be used as a file", base)
	}
	return "", nil
}

// nextKDF is how the next key is wrapped: under a new passphrase, or under the
// present one with the same salt, so that processes that run can follow.
func (k *Keeper) nextKDF(p Places, passphrase secret.String) (*kdf, error) {
	if !passphrase.IsZero() {
		d := k.usePassphrase(passphrase)
		return &d, nil
	}
	if p.Mode == ModePassphrase {
		f, err := readKeyFile(p.currentFile(k.Home), checkPrivate)
		if err != nil {
			return nil, err
		}
		if f.KDF != nil {
			return f.KDF, nil
		}
	}
	return nil, ErrNoPassphrase
}

// Resume finishes a change that was interrupted, if there is one that no other
// process is at.
func (k *Keeper) Resume(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := k.Places()
	if err != nil || !p.changing() {
		return err
	}
	release, err := k.lock(ctx, exclusive)
	if err != nil {
		return err
	}
	defer release()
	return k.resume(ctx)
}

// resume goes on from what is noted. Every step may have been done before.
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
		if err := k.wrapAll(ctx, p, next); err != nil {
			return err
		}
		old := p.Place
		p.Place, p.Previous, p.Next, p.Reseal = *p.Next, &old, nil, false
		p.Changed = time.Now().UTC().Truncate(time.Second)
		if err := k.Save(p); err != nil {
			return err
		}
		if err := k.step("note the new place"); err != nil {
			return err
		}
	}
	// The old key goes only once the new one was seen to open everything by itself.
	alone, err := k.readPlace(p.Place, p.currentFile(k.Home), &passphrases{ask: k.Passphrase, again: k.was})
	if err != nil {
		return fmt.Errorf("read the new master key: %w", err)
	}
	if err := k.opensAll(alone); err != nil {
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
	return k.step("note that it is removed")
}

func (k *Keeper) nextKey(p Places) (*MasterKey, error) {
	return k.readPlace(*p.Next, p.nextFile(k.Home), &passphrases{ask: k.Passphrase, again: k.was, next: true})
}

// abandon ends a change whose new key was noted and not made.
func (k *Keeper) abandon(p Places) error {
	m, err := k.read(p)
	if err == nil {
		err = k.opensAll(m)
	}
	if err != nil {
		return fmt.Errorf("the new master key is lost: %w", err)
	}
	return k.forgetNext(p)
}

func (k *Keeper) forgetNext(p Places) error {
	p.Next, p.Reseal = nil, false
	return k.Save(p)
}

// wrapAll brings every vault under the next key.
func (k *Keeper) wrapAll(ctx context.Context, p Places, next *MasterKey) error {
	all, err := k.read(p)
	if err != nil {
		return err
	}
	dirs, err := k.withVault()
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

// opensAll checks that a key opens every vault.
func (k *Keeper) opensAll(m *MasterKey) error {
	dirs, err := k.withVault()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		f, err := readFile(filepath.Join(dir, "vault.json"))
		if err == nil {
			_, err = m.unwrapAll(f, nil)
		}
		if err != nil {
			return fmt.Errorf("profile %s: %w", filepath.Base(dir), err)
		}
	}
	return nil
}

// removePrevious takes the old key away, and gives the new one its lasting name.
// A file that is replaced is gone with that; one that a user named is the user's.
func (k *Keeper) removePrevious(p Places) error {
	base, pending := p.base(k.Home), p.pending(k.Home)
	if base != "" && !missing(pending) {
		if err := durable.Rename(pending, base); err != nil {
			return fmt.Errorf("put the new master key in place: %w", err)
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

// removeFile is durable, and content with a file that is not there.
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
	if k.after == nil {
		return nil
	}
	return k.after(name)
}
