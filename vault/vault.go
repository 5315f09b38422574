// Package vault stores sealed records. Each value is encrypted and authenticated
// under a data key, which the master key wraps, and is bound to its vault and its
// name. So a record cannot be read without the key, and a record that was
// modified, moved or swapped is detected. The package also manages the master key
// of a home: where it is kept ([Keeper], [Place]), and how it is changed.
//
// It does not know about providers or OAuth. Many processes share a vault, so no
// process keeps the store open: [Vault.View] and [Vault.Update] take a lock, open
// the store, run a function and close the store. The store is a BadgerDB database;
// its own encryption is a second layer that hides the names of records and
// authenticates nothing. An update writes the whole next store to another
// directory and then replaces the generation, a small authenticated file with the
// checksums of the current store. No file of a store is ever modified, so a file
// that differs is damaged, and replaced values are deleted with the old store.
//
// The invariant: when Update returns nil, the change is on the disk, and a later
// View shows it or fails with a [*DamageError]. An empty store is never mistaken
// for a new one.
package vault

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/go-json-experiment/json"
)

// Errors of opening and using a vault.
var (
	// ErrNotFound means that no record has the key.
	ErrNotFound = errors.New("record not found")
	// ErrLocked means that another process held the vault's lock until the caller's
	// context was done.
	ErrLocked = errors.New("the vault is in use by another process")
	// ErrWrongKey means that the vault belongs to another master key.
	ErrWrongKey = errors.New("the master key does not open this vault")
	// ErrLeftBehind means that the change is stored but that the old store, with the
	// values that the change replaced, is still on the disk. The next change deletes
	// it.
	ErrLeftBehind = errors.New("the change is stored, but the old store could not be deleted")
	// ErrNewerFormat means that a newer version of authsome wrote the vault.
	ErrNewerFormat = errors.New("the vault was written by a newer authsome")
)

// reasonMissing is the reason of a [DamageError] for a file that a used vault
// always has.
const reasonMissing = "missing, but the vault has been used"

// DamageError means that a file or record of the vault was modified, moved or
// lost.
type DamageError struct {
	Path   string // the file, or the record as "record KEY"
	Reason string
	Err    error // may be nil
}

func (e *DamageError) Error() string { return fmt.Sprintf("vault damaged: %s: %s", e.Path, e.Reason) }
func (e *DamageError) Unwrap() error { return e.Err }

func isDamage(err error) bool {
	_, ok := errors.AsType[*DamageError](err)
	return ok
}

// Vault has the records of one profile. It is safe for concurrent use by
// goroutines and by processes.
type Vault struct {
	// OnWait, if not nil, is called when a transaction has waited for a lock for a
	// second, with the process that holds the lock, as "PID (NAME)", or "" if that is
	// unknown. It runs on its own goroutine, and the transaction waits for it to
	// return. It must be set before the first use.
	OnWait func(holder string)

	// OnOperation, if not nil, is called after each View and Update, on the goroutine
	// that called it. It must be set before the first use.
	OnOperation func(Operation, Outcome)

	dir   string
	id    string
	keys  atomic.Pointer[dataKeys] // from the last read of vault.json
	store store
}

// Open opens the vault in a profile's directory. On first use it creates the
// vault.
func Open(dir string, master *MasterKey) (*Vault, error) {
	v := &Vault{dir: filepath.Clean(dir)}
	info, _ := os.Stat(v.path("vault.json")) // taken before the read, which reports an error
	f, err := readVaultFile(v.path("vault.json"))
	if errors.Is(err, os.ErrNotExist) {
		info = nil
		f, err = v.createFirst(master)
	}
	if err != nil {
		return nil, err
	}
	v.id = f.ID
	keys, err := master.open(f, info)
	if err != nil {
		return nil, err
	}
	v.keys.Store(keys)
	v.store = v.files()
	return v, nil
}

// files returns the vault's store on disk.
func (v *Vault) files() *files {
	return &files{
		dir:        v.dir,
		lock:       v.lock,
		currentKID: func() string { return v.keys.Load().kid },
		keys: func(kid string) (store, mac []byte, err error) {
			s := v.keys.Load().all[kid]
			if s == nil {
				// Another process may have resealed the records under a new data key.
				if err := v.reloadKeys(); err != nil {
					return nil, nil, err
				}
				s = v.keys.Load().all[kid]
			}
			if s == nil {
				return nil, nil, fmt.Errorf("the vault has no data key %.16q", kid)
			}
			return derive(s.data, v.id, "store"), derive(s.data, v.id, "generation"), nil
		},
	}
}

func (v *Vault) path(name string) string { return filepath.Join(v.dir, name) }

func (v *Vault) profile() string { return filepath.Base(v.dir) }

// ID returns the random ID that the vault got when it was created.
func (v *Vault) ID() string { return v.id }

// DeriveKey derives a 32-byte key for another purpose from the data key, with
// HKDF-SHA256. A key for one label reveals nothing about the keys for others.
func (v *Vault) DeriveKey(label string) []byte {
	return derive(v.keys.Load().current().data, v.id, label)
}

func derive(data []byte, id, label string) []byte {
	key, err := hkdf.Key(sha256.New, data, []byte(id), "authsome "+label, 32)
	if err != nil {
		panic(err) // only lengths that are too long for HKDF fail
	}
	return key
}

// Generation returns the number of the last Update, or an error if the vault's files are
// gone or cannot be opened. It never waits for a lock, so processes can poll it to notice
// changes.
func (v *Vault) Generation() (uint64, error) { return v.store.generation() }

// View runs fn on a consistent state of the vault. Views run at the same time; a
// View waits for a running Update until ctx is done ([ErrLocked]).
func (v *Vault) View(ctx context.Context, fn func(*Tx) error) error {
	var fnErr error
	err := v.store.view(ctx, func(seq uint64, t storeTx) error {
		tx := &Tx{v: v, t: t, seq: seq}
		if err := tx.checkHead(); err != nil {
			return err
		}
		fnErr = fn(tx)
		return fnErr
	})
	v.observe(OperationView, err, fnErr)
	return err
}

// Update runs fn and stores what it wrote durably, all or nothing. No other
// transaction runs at the same time. Every Update increments the generation, even
// if fn wrote nothing, so that other processes read the vault again.
func (v *Vault) Update(ctx context.Context, fn func(*Tx) error) error {
	var fnErr error
	err := v.store.update(ctx, func(seq uint64, t storeTx) error {
		tx := &Tx{v: v, t: t, seq: seq, writable: true}
		if err := tx.checkHead(); err != nil {
			return err
		}
		if fnErr = fn(tx); fnErr != nil {
			return fnErr
		}
		return tx.putHead(seq + 1)
	})
	v.observe(OperationUpdate, err, fnErr)
	return err
}

// Tx is a transaction. It is valid until the function that it was passed to
// returns. It must not be used by several goroutines at the same time.
type Tx struct {
	v        *Vault
	t        storeTx
	seq      uint64 // the number of the update that left the state
	writable bool
}

// Record is one decrypted record.
type Record struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// headKey is the key of a record that every Update replaces. It binds the store to
// its generation and its profile.
const headKey = "head"

type headRecord struct {
	Seq     uint64 `json:"seq"`
	Profile string `json:"profile"` // the name of the vault's directory
}

// Get decrypts the record of a key. For a missing record the error is
// [ErrNotFound].
func (tx *Tx) Get(key string) ([]byte, error) {
	sealed, err := tx.t.get(key)
	if err != nil {
		return nil, err
	}
	return tx.v.unseal(key, sealed)
}

// Put seals value and stores it under key.
func (tx *Tx) Put(key string, value []byte) error {
	if !tx.writable || key == headKey {
		return errors.New("put outside of an update")
	}
	return tx.put(key, value)
}

func (tx *Tx) put(key string, value []byte) error {
	sealed, err := tx.v.keys.Load().current().seal(key, value)
	if err != nil {
		return err
	}
	return tx.t.set(key, sealed)
}

// Delete deletes the record of a key. It succeeds if the record does not exist.
func (tx *Tx) Delete(key string) error {
	if !tx.writable || key == headKey {
		return errors.New("delete outside of an update")
	}
	return tx.t.delete(key)
}

// List decrypts the records whose keys have the prefix, in the order of the keys.
func (tx *Tx) List(prefix string) ([]Record, error) {
	var all []Record
	err := tx.t.list(prefix, func(key string, sealed []byte) error {
		if key == headKey {
			return nil
		}
		value, err := tx.v.unseal(key, sealed)
		if err != nil {
			return err
		}
		all = append(all, Record{key, value})
		return nil
	})
	return all, err
}

func (v *Vault) unseal(key string, sealed []byte) ([]byte, error) {
	e, err := decodeEnvelope(sealed)
	if err != nil {
		return nil, &DamageError{Path: "record " + key, Reason: err.Error()}
	}
	s := v.keys.Load().all[e.KID]
	if s == nil {
		return nil, &DamageError{Path: "record " + key, Reason: "sealed under a key that this vault does not have"}
	}
	value, err := s.open(key, e)
	if err != nil {
		return nil, &DamageError{Path: "record " + key, Reason: "modified, or moved from another record or vault"}
	}
	return value, nil
}

// checkHead compares the head record with the generation and the profile.
func (tx *Tx) checkHead() error {
	value, err := tx.Get(headKey)
	if errors.Is(err, ErrNotFound) {
		return &DamageError{Path: tx.v.path("vault"), Reason: "the store is empty, but the vault has been used"}
	}
	if err != nil {
		return err
	}
	var head headRecord
	if err := json.Unmarshal(value, &head); err != nil || head.Seq != tx.seq {
		return &DamageError{Path: "record " + headKey, Reason: fmt.Sprintf("it does not belong to generation %d of the store", tx.seq)}
	}
	if name := tx.v.profile(); head.Profile != name {
		return &DamageError{Path: tx.v.dir, Reason: fmt.Sprintf("it has the vault of profile %s: directories were swapped or renamed", head.Profile)}
	}
	return nil
}

func (tx *Tx) putHead(seq uint64) error {
	value, err := json.Marshal(headRecord{Seq: seq, Profile: tx.v.profile()})
	if err != nil {
		return fmt.Errorf("encode the head record: %w", err)
	}
	return tx.put(headKey, value)
}
