// Package vault keeps sealed records: each value is encrypted and authenticated
// under a data key that the master key wraps, and bound to its vault and its
// name, so that a record cannot be read, changed, moved or swapped unnoticed.
//
// It knows nothing of providers or OAuth. Many processes share a vault, so nobody
// holds the store open: [Vault.View] and [Vault.Update] take a lock, open, run a
// function, and close. BadgerDB is the store; its own encryption is a second
// layer that hides names and authenticates nothing. An update writes the next
// store whole beside the present one and then replaces the generation, a small
// authenticated file that names the store in force by its content: nothing in a
// store ever changes, so that what has changed is damage, and what was replaced
// is gone.
//
// The invariant: an Update that returned nil is on disk, and a View shows the
// last one or fails with [*DamageError]. An empty store is never taken for a new
// one.
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
	// ErrNotFound says that there is no record of that key.
	ErrNotFound = errors.New("no such record")
	// ErrLocked says that another process held the vault until the caller's
	// context was done.
	ErrLocked = errors.New("the vault is in use by another process")
	// ErrWrongKey says that the master key is not the vault's.
	ErrWrongKey = errors.New("the master key does not open this vault")
	// ErrLeftBehind says that a change is stored, and that what it replaced is still
	// on the disk. The next change deletes it.
	ErrLeftBehind = errors.New("the change is stored, but the store before it is not deleted")
	// ErrNewerFormat says that a later version wrote the vault.
	ErrNewerFormat = errors.New("the vault was written by a newer authsome")
)

// DamageError says that the vault is not as it was left.
type DamageError struct {
	Path   string // the file, or the record as "record KEY"
	Reason string
	Err    error // may be nil
}

func (e *DamageError) Error() string { return fmt.Sprintf("vault damaged: %s: %s", e.Path, e.Reason) }
func (e *DamageError) Unwrap() error { return e.Err }

// Vault is one profile's records. It is safe for concurrent use, by goroutines
// and by processes.
type Vault struct {
	// OnWait, if it is set before the first use, is told when a lock has been
	// waited for for a second: who holds it, as "PID (NAME)", or "" where that
	// cannot be known. It runs on a goroutine of its own.
	OnWait func(holder string)

	// OnOperation, if it is set before the first use, is called after each View and
	// Update, on the goroutine that called it.
	OnOperation func(Operation, Outcome)

	dir   string
	id    string
	keys  atomic.Pointer[dataKeys] // as they were read last
	store store
}

// Open opens the vault in a profile's directory, and makes it there on first use.
func Open(dir string, master *MasterKey) (*Vault, error) {
	v := &Vault{dir: filepath.Clean(dir)}
	info, _ := os.Stat(v.path("vault.json")) // at the latest when it is read
	f, err := readFile(v.path("vault.json"))
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

// files is the vault's store on disk.
func (v *Vault) files() *files {
	return &files{
		dir:     v.dir,
		lock:    v.lock,
		present: func() string { return v.keys.Load().kid },
		keys: func(kid string) (store, mac []byte, err error) {
			s := v.keys.Load().all[kid]
			if s == nil {
				// Another process has sealed the records anew since the keys were read.
				if err := v.follow(); err != nil {
					return nil, nil, err
				}
				s = v.keys.Load().all[kid]
			}
			if s == nil {
				return nil, nil, fmt.Errorf("the vault has no key %.16q", kid)
			}
			return derive(s.data, v.id, "store"), derive(s.data, v.id, "generation"), nil
		},
	}
}

func (v *Vault) path(name string) string { return filepath.Join(v.dir, name) }

func (v *Vault) profile() string { return filepath.Base(v.dir) }

// ID identifies the vault for its life.
func (v *Vault) ID() string { return v.id }

// DeriveKey is a 32-byte key for another use, by HKDF-SHA256 of the data key.
// Uses with different labels cannot learn each other's.
func (v *Vault) DeriveKey(label string) []byte {
	return derive(v.keys.Load().present().data, v.id, label)
}

func derive(data []byte, id, label string) []byte {
	key, err := hkdf.Key(sha256.New, data, []byte(id), "authsome "+label, 32)
	if err != nil {
		panic(err) // only for lengths that HKDF cannot give
	}
	return key
}

// Generation is the number of the last Update. It waits for nobody: processes
// poll it to learn of changes.
func (v *Vault) Generation() (uint64, error) { return v.store.generation() }

// View runs fn over a consistent state. It shares the vault with other views and
// waits for updates to end, until ctx is done ([ErrLocked]).
func (v *Vault) View(ctx context.Context, fn func(*Tx) error) error {
	var own error
	err := v.store.view(ctx, func(seq uint64, t storeTx) error {
		tx := &Tx{v: v, t: t, seq: seq}
		if err := tx.checkHead(); err != nil {
			return err
		}
		own = fn(tx)
		return own
	})
	v.observe(OperationView, err, own)
	return err
}

// Update runs fn and makes what it wrote durable, all or nothing. It has the
// vault for itself. The generation moves with every Update, also when fn wrote
// nothing: that is how other processes are told to look again.
func (v *Vault) Update(ctx context.Context, fn func(*Tx) error) error {
	var own error
	err := v.store.update(ctx, func(seq uint64, t storeTx) error {
		tx := &Tx{v: v, t: t, seq: seq, writable: true}
		if err := tx.checkHead(); err != nil {
			return err
		}
		if own = fn(tx); own != nil {
			return own
		}
		return tx.putHead(seq + 1)
	})
	v.observe(OperationUpdate, err, own)
	return err
}

// Tx is a transaction, valid until the function it was given to returns. It is
// for one goroutine.
type Tx struct {
	v        *Vault
	t        storeTx
	seq      uint64 // of the update that left what is read
	writable bool
}

// Record is one record, opened.
type Record struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// headKey is the record that every transaction moves.
const headKey = "head"

type headRecord struct {
	Seq     uint64 `json:"seq"`
	Profile string `json:"profile"` // the name of the vault's directory
}

// Get opens the record of a key, or fails with [ErrNotFound].
func (tx *Tx) Get(key string) ([]byte, error) {
	sealed, err := tx.t.get(key)
	if err != nil {
		return nil, err
	}
	return tx.v.unseal(key, sealed)
}

// Put seals value under key.
func (tx *Tx) Put(key string, value []byte) error {
	if !tx.writable || key == headKey {
		return errors.New("put outside an update")
	}
	return tx.put(key, value)
}

func (tx *Tx) put(key string, value []byte) error {
	sealed, err := tx.v.keys.Load().present().seal(key, value)
	if err != nil {
		return err
	}
	return tx.t.set(key, sealed)
}

// Delete removes a key's record; one that is not there is no error.
func (tx *Tx) Delete(key string) error {
	if !tx.writable || key == headKey {
		return errors.New("delete outside an update")
	}
	return tx.t.delete(key)
}

// List opens the records whose key has the prefix, in the order of their keys.
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
		return nil, &DamageError{Path: "record " + key, Reason: "it was changed, moved or swapped"}
	}
	return value, nil
}

// checkHead compares the sealed head with the number of the store.
func (tx *Tx) checkHead() error {
	value, err := tx.Get(headKey)
	if errors.Is(err, ErrNotFound) {
		return &DamageError{Path: tx.v.path("vault"), Reason: "the store is empty, though the vault was in use"}
	}
	if err != nil {
		return err
	}
	var head headRecord
	if err := json.Unmarshal(value, &head); err != nil || head.Seq != tx.seq {
		return &DamageError{Path: "record " + headKey, Reason: fmt.Sprintf("it is not of the store's generation, %d", tx.seq)}
	}
	if name := tx.v.profile(); head.Profile != name {
		return &DamageError{Path: tx.v.dir, Reason: fmt.Sprintf("it holds the vault of profile %s: directories were exchanged or renamed", head.Profile)}
	}
	return nil
}

func (tx *Tx) putHead(seq uint64) error {
	value, err := json.Marshal(headRecord{Seq: seq, Profile: tx.v.profile()})
	if err != nil {
		return fmt.Errorf("encode head: %w", err)
	}
	return tx.put(headKey, value)
}
