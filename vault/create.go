package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/internal/durable"
)

// vaultFile is vault.json. A vault exists if and only if this file does.
type vaultFile struct {
	Format int          `json:"format"`
	ID     string       `json:"id"`
	Keys   []wrappedKey `json:"keys"`
}

// createWait limits the wait for another process that is creating the same vault.
// createPoll is the interval of the checks whether it has finished.
const (
	createWait = 30 * time.Second
	createPoll = 100 * time.Millisecond
)

func readVaultFile(path string) (vaultFile, error) {
	b, err := readSmall(path)
	if err != nil {
		return vaultFile{}, err
	}
	var f vaultFile
	if err := json.Unmarshal(b, &f); err == nil && f.Format > format {
		return vaultFile{}, ErrNewerFormat
	}
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil || f.Format != format || f.ID == "" || len(f.Keys) == 0 {
		return vaultFile{}, &DamageError{Path: path, Reason: "not a valid vault.json"}
	}
	return f, nil
}

// createFirst creates the vault while the master key cannot be changed.
func (v *Vault) createFirst(master *MasterKey) (vaultFile, error) {
	if master.loadLocked == nil {
		return v.create(master)
	}
	locked, release, err := master.loadLocked()
	if err != nil {
		return vaultFile{}, err
	}
	defer release()
	return v.create(locked)
}

// create creates a vault: first the store and its generation, then vault.json. If
// the process is killed on the way, the next Open starts again or continues. A
// store without vault.json is an error, unless it is the first store: a lost
// vault must not be mistaken for one that was never completed.
func (v *Vault) create(master *MasterKey) (vaultFile, error) {
	unlock, err := v.lockToCreate()
	if err != nil {
		return vaultFile{}, err
	}
	if unlock == nil {
		return readVaultFile(v.path("vault.json"))
	}
	defer unlock()
	if f, err := readVaultFile(v.path("vault.json")); !errors.Is(err, os.ErrNotExist) {
		return f, err // another process was first
	}
	if v.wasUsed() {
		return vaultFile{}, &DamageError{Path: v.path("vault.json"), Reason: "missing, but the vault has a store; without this file its keys are lost"}
	}
	created, f, err := generateVault(v.dir, master)
	if err == nil {
		err = created.writeFirst(*f)
	}
	if err != nil {
		return vaultFile{}, fmt.Errorf("create the vault: %w", err)
	}
	return *f, nil
}

// generateVault generates a vault's ID and data key. It writes nothing.
func generateVault(dir string, master *MasterKey) (*Vault, *vaultFile, error) {
	id, data := make([]byte, 16), make([]byte, keySize)
	rand.Read(id) // never fails
	rand.Read(data)
	f := &vaultFile{Format: format, ID: hex.EncodeToString(id)}
	wrapped, err := master.wrap(f.ID, data)
	if err != nil {
		return nil, nil, err
	}
	f.Keys = []wrappedKey{wrapped}
	v, keys := &Vault{dir: dir, id: f.ID}, &dataKeys{master: master}
	if err := keys.add(f.ID, wrapped.KID, data); err != nil {
		return nil, nil, err
	}
	v.keys.Store(keys)
	v.store = v.files()
	return v, f, nil
}

// wasUsed reports whether the directory has more than an interrupted creation
// leaves.
func (v *Vault) wasUsed() bool {
	if !missing(v.path("vault")) {
		return true
	}
	g, err := readGeneration(v.path("generation"))
	return !errors.Is(err, os.ErrNotExist) && (err != nil || g.Seq > 1)
}

// writeFirst writes the first store, which has the head record only, and
// vault.json.
func (v *Vault) writeFirst(f vaultFile) error {
	first := make(memory)
	if err := (&Tx{v: v, t: first}).putHead(1); err != nil {
		return err
	}
	store := v.files()
	if err := store.prepare(1, first); err != nil {
		return err
	}
	if err := store.commit(); err != nil {
		return err
	}
	if err := v.writeVaultFile(f); err != nil {
		return err
	}
	return store.promote()
}

func (v *Vault) writeVaultFile(f vaultFile) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	path := v.path("vault.json")
	if err := durable.Write(path+".new", append(b, '\n')); err != nil {
		return err
	}
	return durable.Rename(path+".new", path)
}

// lockToCreate locks the vault. If another process creates the vault before the
// lock is free, unlock is nil.
func (v *Vault) lockToCreate() (unlock func(), err error) {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the vault: %w", err)
	}
	for deadline := time.Now().Add(createWait); ; {
		ctx, cancel := context.WithTimeout(context.Background(), createPoll)
		unlock, err = v.lock(ctx, exclusive)
		cancel()
		switch {
		case err == nil || !errors.Is(err, ErrLocked):
			return unlock, err
		case !missing(v.path("vault.json")):
			return nil, nil
		case time.Now().After(deadline):
			return nil, err
		}
	}
}

// Describe reads what is known of a profile's vault without a key: its ID, and
// the IDs of its data keys. If the vault does not exist, the error is
// [os.ErrNotExist].
func Describe(dir string) (id string, kids []string, err error) {
	f, err := readVaultFile(filepath.Join(dir, "vault.json"))
	if err != nil {
		return "", nil, err
	}
	for _, w := range f.Keys {
		kids = append(kids, w.KID)
	}
	return f.ID, kids, nil
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}
