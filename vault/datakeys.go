package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// dataKeys are the unwrapped data keys of a vault. Once stored in a [Vault] they
// are immutable.
type dataKeys struct {
	kid string             // of the current key, which is the last one in vault.json
	all map[string]*sealer // by key ID

	master *MasterKey
	info   fs.FileInfo // of vault.json, taken before it was read
}

func (k *dataKeys) add(id, kid string, data []byte) (err error) {
	if k.all == nil {
		k.all = make(map[string]*sealer)
	}
	k.kid = kid
	k.all[kid], err = newSealer(data, id, kid)
	return err
}

// current returns the sealer for writing.
func (k *dataKeys) current() *sealer { return k.all[k.kid] }

// isFrom reports whether the keys were read from this vault.json.
func (k *dataKeys) isFrom(info fs.FileInfo) bool {
	return k.info != nil && os.SameFile(k.info, info) && k.info.ModTime().Equal(info.ModTime()) && k.info.Size() == info.Size()
}

// reuse returns the keys that f names if all of them are already unwrapped. This
// is so after a change of the master key, which is then not needed.
func (k *dataKeys) reuse(f vaultFile, info fs.FileInfo) (*dataKeys, bool) {
	reused := &dataKeys{master: k.master, info: info}
	for _, w := range f.Keys {
		s, known := k.all[w.KID]
		if !known || reused.add(f.ID, w.KID, s.data) != nil {
			return nil, false
		}
	}
	return reused, true
}

// reloadKeys reads the data keys again if vault.json was replaced after the last
// read.
func (v *Vault) reloadKeys() error {
	path := v.path("vault.json")
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return &DamageError{Path: path, Reason: reasonMissing, Err: err}
	}
	if err != nil {
		return fmt.Errorf("read the vault: %w", err)
	}
	keys := v.keys.Load()
	if keys.isFrom(info) {
		return nil
	}
	f, err := readVaultFile(path)
	if err != nil {
		return err
	}
	if f.ID != v.id {
		return &DamageError{Path: path, Reason: "it belongs to another vault"}
	}
	fresh, ok := keys.reuse(f, info)
	if !ok {
		if fresh, err = keys.master.open(f, info); err != nil {
			return err
		}
	}
	v.keys.Store(fresh)
	return nil
}
