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

	"github.com/authsome/authsome/internal/durable"
)

// file is vault.json, the marker that the vault exists.
type file struct {
	Format int          `json:"format"`
	ID     string       `json:"id"`
	Keys   []wrappedKey `json:"keys"`
}

// createWait bounds the wait for another process that is making the same vault,
// createLook is how often it is looked whether it is made.
const (
	createWait = 30 * time.Second
	createLook = 100 * time.Millisecond
)

func readFile(path string) (file, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return file{}, fmt.Errorf("vault: %w", err)
	}
	var f file
	if err := json.Unmarshal(b, &f); err == nil && f.Format > format {
		return file{}, ErrNewerFormat
	}
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil || f.Format != format || f.ID == "" || len(f.Keys) == 0 {
		return file{}, &DamageError{Path: path, Reason: "not a vault's description"}
	}
	return f, nil
}

// create makes a vault: the store and its generation, and then vault.json, which
// says that there is one. Killed anywhere, the next Open starts over or goes on,
// and never takes a store that was lost for one that was not made yet.
func (v *Vault) create(master *MasterKey) (file, error) {
	unlock, err := v.lockToCreate()
	if err != nil {
		return file{}, err
	}
	if unlock == nil {
		return readFile(v.path("vault.json"))
	}
	defer unlock()
	if f, err := readFile(v.path("vault.json")); !errors.Is(err, os.ErrNotExist) {
		return f, err // another process was first
	}
	if v.wasUsed() {
		return file{}, &DamageError{Path: v.path("vault.json"), Reason: "missing, and there is a store: its keys are lost without it"}
	}
	made, f, err := generate(v.dir, master)
	if err == nil {
		err = made.fill(*f)
	}
	if err != nil {
		return file{}, fmt.Errorf("make vault: %w", err)
	}
	return *f, nil
}

// generate makes up a vault's identity and data key; nothing is written.
func generate(dir string, master *MasterKey) (*Vault, *file, error) {
	id, data := make([]byte, 16), make([]byte, keySize)
	rand.Read(id) // never fails
	rand.Read(data)
	f := &file{Format: format, ID: hex.EncodeToString(id)}
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

// wasUsed says that there is more than what an interrupted creation leaves.
func (v *Vault) wasUsed() bool {
	if !missing(v.path("vault")) {
		return true
	}
	g, err := readGeneration(v.path("generation"))
	return !errors.Is(err, os.ErrNotExist) && (err != nil || g.Seq > 1)
}

// fill writes the first store with its head, and vault.json.
func (v *Vault) fill(f file) error {
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
	if err := v.writeFile(f); err != nil {
		return err
	}
	return store.promote()
}

func (v *Vault) writeFile(f file) error {
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

// lockToCreate gives no unlock if the vault was made meanwhile.
func (v *Vault) lockToCreate() (unlock func(), err error) {
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make vault: %w", err)
	}
	for deadline := time.Now().Add(createWait); ; {
		ctx, cancel := context.WithTimeout(context.Background(), createLook)
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

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}
