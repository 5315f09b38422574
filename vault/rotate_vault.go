package vault

import (
	"context"
	"crypto/rand"
	"fmt"
)

// rewrapping moves one vault from one master key to another.
type rewrapping struct {
	v        *Vault
	from, to *MasterKey // from unwraps under both keys
	step     func(string) error
}

// run wraps the data keys under the new master key, with a single rename. If
// reseal is set, or an earlier run began to reseal, it also seals the records under
// a new data key. Each step may already have been done by an interrupted run.
func (r *rewrapping) run(ctx context.Context, reseal bool) error {
	v := r.v
	wait, cancel := context.WithTimeout(ctx, keyLockWait)
	defer cancel()
	unlock, err := v.lock(wait, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := readVaultFile(v.path("vault.json"))
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
			return nil // with reseal too: its first rename adds a second data key
		case !reseal:
			return r.wrap(f, keys)
		}
		if err := r.addDataKey(f, keys); err != nil {
			return err
		}
	}
	return r.reseal(f)
}

// wrap writes vault.json with these data keys, the current one last.
func (r *rewrapping) wrap(f vaultFile, keys *dataKeys) error {
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
	if err := add(keys.current()); err != nil {
		return err
	}
	if err := r.v.writeVaultFile(f); err != nil {
		return fmt.Errorf("write vault.json: %w", err)
	}
	return r.step("wrap the data keys of a vault")
}

// addDataKey adds a new data key, which seals every later write. Records under the
// old data key stay readable: each record names its key.
func (r *rewrapping) addDataKey(f vaultFile, old *dataKeys) error {
	data := make([]byte, keySize)
	rand.Read(data) // never fails
	both := &dataKeys{master: r.to}
	for _, d := range [][]byte{old.current().data, data} {
		if err := both.add(f.ID, kidOf(d), d); err != nil {
			return err
		}
	}
	r.v.keys.Store(both)
	return r.wrap(f, both)
}

// reseal seals every record under the current data key in one update, whose store
// is encrypted under that key too. Then it removes the old data keys.
func (r *rewrapping) reseal(f vaultFile) error {
	v := r.v
	keys := v.keys.Load()
	err := v.files().updateLocked(func(seq uint64, t storeTx) error {
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
		return fmt.Errorf("reseal the records: %w", err)
	}
	if err := r.step("reseal the records"); err != nil {
		return err
	}
	current := &dataKeys{master: r.to}
	if err := current.add(f.ID, keys.kid, keys.current().data); err != nil {
		return err
	}
	v.keys.Store(current)
	if err := r.wrap(f, current); err != nil {
		return err
	}
	return r.step("remove the old data keys")
}
