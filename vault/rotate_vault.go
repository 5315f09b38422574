package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
)

// rewrapping brings one vault under another master key.
type rewrapping struct {
	v        *Vault
	from, to *MasterKey
	step     func(string) error
}

// run wraps the data keys anew, in one rename. A vault that is under the new
// master key already is done: resealing changes both with the same rename.
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
	v.id = f.ID
	done := false
	keys, err := r.to.unwrapAll(f, nil)
	if err == nil {
		done = true
	} else if keys, err = r.from.unwrapAll(f, nil); err != nil {
		return err
	}
	v.keys.Store(keys)
	if len(f.Keys) > 1 {
		if f, err = v.finishReseal(f, r.step); err != nil {
			return err
		}
		// Only the present data key is left.
		present := &dataKeys{}
		if err := present.add(f.ID, keys.kid, keys.data[keys.kid]); err != nil {
			return err
		}
		keys = present
		v.keys.Store(keys)
	}
	switch {
	case done:
		return nil
	case reseal:
		return r.reseal(f, keys)
	}
	return r.wrap(f, keys.data[keys.kid])
}

// wrap writes vault.json with these data keys, the last one the present one.
func (r *rewrapping) wrap(f file, data ...[]byte) error {
	f.Keys = nil
	for _, d := range data {
		w, err := r.to.wrap(f.ID, d)
		if err != nil {
			return err
		}
		f.Keys = append(f.Keys, w)
	}
	if err := r.v.writeFile(f); err != nil {
		return err
	}
	return r.step("wrap the data key of a vault")
}

func (v *Vault) writeFile(f file) error {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode vault.json: %w", err)
	}
	if err := replaceFile(v.path("vault.json"), append(b, '\n')); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

// reseal builds a second store, with every record sealed under a new data key.
// It counts from the moment in which vault.json names both keys; finishReseal
// then puts it in place. So nothing of what the old data key opens is left in
// the store, superseded values included.
func (r *rewrapping) reseal(f file, old *dataKeys) error {
	v := r.v
	if missing(v.path("vault")) { // its making was interrupted
		if err := v.promote(); err != nil {
			return err
		}
	}
	records, seq, err := v.everything()
	if err != nil {
		return err
	}
	for _, label := range retiredLabels {
		records = append(records, Record{retiredPrefix + label + ":" + old.kid, derive(old.data[old.kid], f.ID, label)})
	}
	data := make([]byte, keySize)
	rand.Read(data)
	both := &dataKeys{}
	for _, d := range [][]byte{old.data[old.kid], data} {
		if err := both.add(f.ID, kidOf(d), d); err != nil {
			return err
		}
	}
	v.keys.Store(both)
	for _, name := range []string{"vault.reseal", "vault.old"} {
		if err := os.RemoveAll(v.path(name)); err != nil {
			return fmt.Errorf("vault: %w", err)
		}
	}
	if err := v.build(records, seq+1); err != nil {
		return fmt.Errorf("seal the records anew: %w", err)
	}
	if err := r.step("build the second store"); err != nil {
		return err
	}
	if err := r.wrap(f, old.data[old.kid], data); err != nil {
		return err
	}
	f, err = readFile(v.path("vault.json"))
	if err != nil {
		return err
	}
	_, err = v.finishReseal(f, r.step)
	return err
}

// Keys that were derived of a data key verify what was written under them after
// the data key is gone, from which nothing leads back to it. They are records,
// retired:<label>:<kid>.
const retiredPrefix = "retired:"

var retiredLabels = []string{"audit"}

// RetiredKeys are what [Vault.DeriveKey] gave for a label before the records were
// sealed anew.
func (tx *Tx) RetiredKeys(label string) ([][]byte, error) {
	records, err := tx.List(retiredPrefix + label + ":")
	var keys [][]byte
	for _, r := range records {
		keys = append(keys, r.Value)
	}
	return keys, err
}

// everything opens all records but the head, and gives its number.
func (v *Vault) everything() (records []Record, seq uint64, err error) {
	s, err := v.open(readWrite)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
	}()
	if seq, err = v.settle(s); err != nil {
		return nil, 0, err
	}
	err = s.view(func(t storeTx) error {
		records, err = (&Tx{v: v, t: t}).List("")
		return err
	})
	return records, seq, err
}

// transactionSize bounds what is written at once: a transaction must fit into a
// part of the store's memory table.
const transactionSize = 64 << 10

// build makes the store vault.reseal under the vault's present data key.
func (v *Vault) build(records []Record, seq uint64) (err error) {
	dir := v.path("vault.reseal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := openStore(dir, v.storeKey(), readWrite)
	if err != nil {
		return err
	}
	for err == nil && len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && (n == 0 || size < transactionSize) {
			size += 2*len(records[n].Value) + len(records[n].Key) + 256
			n++
		}
		err = s.update(func(t storeTx) error {
			for _, r := range records[:n] {
				if err := (&Tx{v: v, t: t}).put(r.Key, r.Value); err != nil {
					return err
				}
			}
			return nil
		})
		records = records[n:]
	}
	if err == nil {
		err = s.update(func(t storeTx) error { return (&Tx{v: v, t: t}).putHead(seq) })
	}
	if closed := s.close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return syncDir(v.dir)
}

// finishReseal goes on with a vault whose vault.json names the old data key and
// the new one: the second store becomes the store, the generation is sealed
// under the new key, and the old store and the old key go. Each step may have
// been done before. The vault is locked, and has the keys of f.
func (v *Vault) finishReseal(f file, step func(string) error) (file, error) {
	fail := func(err error) (file, error) { return file{}, fmt.Errorf("finish sealing anew: %w", err) }
	if !missing(v.path("vault.reseal")) {
		if !missing(v.path("vault")) {
			if err := os.Rename(v.path("vault"), v.path("vault.old")); err != nil {
				return fail(err)
			}
			if err := step("put the old store away"); err != nil {
				return fail(err)
			}
		}
		if err := os.Rename(v.path("vault.reseal"), v.path("vault")); err != nil {
			return fail(err)
		}
		if err := syncDir(v.dir); err != nil {
			return fail(err)
		}
		if err := step("put the second store in place"); err != nil {
			return fail(err)
		}
	}
	seq, kid, err := v.generation()
	if err != nil {
		return fail(err)
	}
	if kid != v.keys.Load().kid {
		if err := v.writeGeneration(seq + 1); err != nil {
			return fail(err)
		}
		if err := step("seal the generation anew"); err != nil {
			return fail(err)
		}
	}
	if err := os.RemoveAll(v.path("vault.old")); err != nil {
		return fail(err)
	}
	if err := syncDir(v.dir); err != nil {
		return fail(err)
	}
	if err := step("remove the old store"); err != nil {
		return fail(err)
	}
	f.Keys = f.Keys[len(f.Keys)-1:]
	if err := v.writeFile(f); err != nil {
		return fail(err)
	}
	return f, step("drop the old data key")
}

// openPresent opens the store with the keys that the vault has now: another
// process may have changed them since they were read. The vault is locked.
func (v *Vault) openPresent(mode openMode) (*store, error) {
	f, err := v.follow()
	if err != nil {
		return nil, err
	}
	if len(v.keys.Load().all) > 1 {
		if mode == readOnly {
			return nil, errNeedsWrite
		}
		if f.ID == "" {
			if f, err = readFile(v.path("vault.json")); err != nil {
				return nil, err
			}
		}
		if _, err := v.finishReseal(f, func(string) error { return nil }); err != nil {
			return nil, err
		}
		if _, err := v.follow(); err != nil {
			return nil, err
		}
	}
	return v.open(mode)
}

// follow takes the keys from vault.json if it is another one than was read, and
// returns it then.
func (v *Vault) follow() (f file, err error) {
	path := v.path("vault.json")
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return file{}, &DamageError{Path: path, Reason: "missing, though the vault was in use", Err: err}
	}
	if err != nil {
		return file{}, fmt.Errorf("vault: %w", err)
	}
	keys := v.keys.Load()
	if keys.isRead(info) {
		return file{}, nil
	}
	if f, err = readFile(path); err != nil {
		return file{}, err
	}
	if f.ID != v.id {
		return file{}, &DamageError{Path: path, Reason: "it belongs to another vault"}
	}
	fresh, known := keys.those(f, info)
	if !known {
		if fresh, err = keys.master.open(f, info); err != nil {
			return file{}, err
		}
	}
	v.keys.Store(fresh)
	return f, nil
}
