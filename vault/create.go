package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"
)

// file is vault.json, the marker that the vault exists.
type file struct {
	Format int          `json:"format"`
	ID     string       `json:"id"`
	Keys   []wrappedKey `json:"keys"`
}

// createWait bounds the wait for another process that is making the same vault.
const createWait = 30 * time.Second

func readFile(path string) (file, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return file{}, fmt.Errorf("vault: %w", err)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil || f.ID == "" || len(f.Keys) == 0 {
		return file{}, &DamageError{Path: path, Reason: "not a vault's description"}
	}
	if f.Format > format {
		return file{}, ErrNewerFormat
	}
	return f, nil
}

// create makes a vault. The store is built under another name; then vault.json
// says that there is one; then the store gets its name. Killed anywhere, the
// next Open starts over or finishes, and never takes a store that was lost for
// one that was not made yet.
func (v *Vault) create(master *MasterKey) (file, error) {
	unlock, err := v.lockToCreate()
	if err != nil {
		return file{}, err
	}
	defer unlock()
	if f, err := readFile(v.path("vault.json")); !errors.Is(err, os.ErrNotExist) {
		if err == nil && missing(v.path("vault")) {
			return f, v.promote()
		}
		return f, err // another process was first
	}
	if !missing(v.path("vault")) {
		return file{}, &DamageError{Path: v.path("vault.json"), Reason: "missing, and there is a store: its keys are lost without it"}
	}
	if err := os.RemoveAll(v.path("vault.new")); err != nil {
		return file{}, fmt.Errorf("make vault: %w", err)
	}
	id, data := make([]byte, 16), make([]byte, keySize)
	rand.Read(id)
	rand.Read(data)
	f := file{Format: format, ID: hex.EncodeToString(id)}
	wrapped, err := master.wrap(f.ID, data)
	if err != nil {
		return file{}, err
	}
	f.Keys = []wrappedKey{wrapped}
	if err := v.fill(f, data); err != nil {
		return file{}, fmt.Errorf("make vault: %w", err)
	}
	b, err := json.Marshal(f)
	if err != nil {
		return file{}, fmt.Errorf("make vault: %w", err)
	}
	if err := replaceFile(v.path("vault.json"), append(b, '\n')); err != nil {
		return file{}, fmt.Errorf("make vault: %w", err)
	}
	return f, v.promote()
}

// fill builds the first store with its head, and the generation beside it.
func (v *Vault) fill(f file, data []byte) error {
	made, keys := &Vault{dir: v.dir, id: f.ID}, &dataKeys{}
	if err := keys.add(f.ID, f.Keys[0].KID, data); err != nil {
		return err
	}
	made.keys.Store(keys)
	if err := os.Mkdir(v.path("vault.new"), 0o700); err != nil {
		return err
	}
	s, err := openStore(v.path("vault.new"), made.storeKey(), readWrite)
	if err != nil {
		return err
	}
	err = s.update(func(t storeTx) error { return (&Tx{v: made, t: t}).putHead(1) })
	if closed := s.close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return made.writeGeneration(1)
}

func (v *Vault) promote() error {
	if missing(v.path("vault.new")) {
		return &DamageError{Path: v.path("vault"), Reason: "missing, though the vault was in use"}
	}
	if err := os.Rename(v.path("vault.new"), v.path("vault")); err != nil {
		return fmt.Errorf("make vault: %w", err)
	}
	return syncDir(v.dir)
}

// finishCreate ends a creation that was interrupted before its last step.
func (v *Vault) finishCreate() error {
	unlock, err := v.lockToCreate()
	if err != nil {
		return err
	}
	defer unlock()
	if !missing(v.path("vault")) {
		return nil
	}
	return v.promote()
}

func (v *Vault) lockToCreate() (unlock func(), err error) {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make vault: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), createWait)
	defer cancel()
	return v.lock(ctx, exclusive)
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}
