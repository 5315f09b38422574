package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
)

// rewrapping brings one vault under another master key.
type rewrapping struct {
	v        *Vault
	from, to *MasterKey
	step     func(string) error
}

// run wraps the data keys anew, in one rename, and seals the records anew if that
// is wanted or was begun. Every step may have been done before.
func (r *rewrapping) run(ctx context.Context, reseal bool) error {
	v := r.v
	wait, cancel := context.WithTimeout(ctx, keyLockWait)
	defer cancel()
	unlock, err := v.lock(wait, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := readFile(v.path("vault.json"))
	if err != nil {
		return err
	}
	v.id, v.store = f.ID, v.files()
	keys, err := r.to.unwrapAll(f, nil)
	done := err == nil
	if !done {
		if keys, err = r.from.unwrapAll(f, nil); err != nil {
			return err
		}
	}
	v.keys.Store(keys)
	if len(f.Keys) == 1 {
		switch {
		case done:
			return nil // resealing changes both keys with the same rename
		case !reseal:
			return r.wrap(f, keys)
		}
		if err := r.add(f, keys); err != nil {
			return err
		}
	}
	return r.reseal(f)
}

// wrap writes vault.json with these data keys, the present one last.
func (r *rewrapping) wrap(f file, keys *dataKeys) error {
	f.Keys = nil
	add := func(s *sealer) error {
		w, err := r.to.wrap(f.ID, s.data)
		f.Keys = append(f.Keys, w)
		return err
	}
	for kid, s := range keys.all {
		if kid != keys.kid {
			if err := add(s); err != nil {
				return err
			}
		}
	}
	if err := add(keys.present()); err != nil {
		return err
	}
	if err := r.v.writeFile(f); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return r.step("wrap the data keys of a vault")
}

// add makes another data key, which from then on seals what is written. What the
// one before sealed stays readable by its name.
func (r *rewrapping) add(f file, old *dataKeys) error {
	data := make([]byte, keySize)
	rand.Read(data) // never fails
	both := &dataKeys{master: r.to}
	for _, d := range [][]byte{old.present().data, data} {
		if err := both.add(f.ID, kidOf(d), d); err != nil {
			return err
		}
	}
	r.v.keys.Store(both)
	return r.wrap(f, both)
}

// reseal seals every record under the present data key, as one update, whose
// store is under that key as well; then the data keys before it go.
func (r *rewrapping) reseal(f file) error {
	v := r.v
	keys := v.keys.Load()
	err := v.files().change(func(seq uint64, t storeTx) error {
		tx := &Tx{v: v, t: t, seq: seq, writable: true}
		if err := tx.checkHead(); err != nil {
			return err
		}
		records, err := tx.List("")
		if err != nil {
			return err
		}
		for kid, old := range keys.all {
			if kid != keys.kid {
				records = append(records, retired(f.ID, kid, old)...)
			}
		}
		for _, record := range records {
			if err := tx.Put(record.Key, record.Value); err != nil {
				return err
			}
		}
		return tx.putHead(seq + 1)
	})
	if err != nil {
		return fmt.Errorf("seal the records anew: %w", err)
	}
	if err := r.step("seal the records anew"); err != nil {
		return err
	}
	present := &dataKeys{master: r.to}
	if err := present.add(f.ID, keys.kid, keys.present().data); err != nil {
		return err
	}
	v.keys.Store(present)
	if err := r.wrap(f, present); err != nil {
		return err
	}
	return r.step("drop the old data keys")
}

// Keys that were derived of a data key verify what was written under them after
// the data key is gone, from which nothing leads back to it. They are records,
// retired:<label>:<kid>.
const retiredPrefix = "retired:"

var retiredLabels = []string{"audit"}

func retired(id, kid string, s *sealer) []Record {
	var all []Record
	for _, label := range retiredLabels {
		all = append(all, Record{retiredPrefix + label + ":" + kid, derive(s.data, id, label)})
	}
	return all
}

// Retire keeps a key that another vault derived for a label, and that is to go.
func (tx *Tx) Retire(label string, key []byte) error {
	return tx.Put(retiredPrefix+label+":"+kidOf(key), key)
}

// RetiredKeys are what [Vault.DeriveKey] gave for a label under data keys that
// the vault had before, and those that were given to [Tx.Retire].
func (tx *Tx) RetiredKeys(label string) ([][]byte, error) {
	records, err := tx.List(retiredPrefix + label + ":")
	var keys [][]byte
	for _, r := range records {
		keys = append(keys, r.Value)
	}
	return keys, err
}

// follow takes the keys from vault.json if it is another one than was read.
func (v *Vault) follow() error {
	path := v.path("vault.json")
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return &DamageError{Path: path, Reason: "missing, though the vault was in use", Err: err}
	}
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	keys := v.keys.Load()
	if keys.isRead(info) {
		return nil
	}
	f, err := readFile(path)
	if err != nil {
		return err
	}
	if f.ID != v.id {
		return &DamageError{Path: path, Reason: "it belongs to another vault"}
	}
	fresh, known := keys.those(f, info)
	if !known {
		if fresh, err = keys.master.open(f, info); err != nil {
			return err
		}
	}
	v.keys.Store(fresh)
	return nil
}
