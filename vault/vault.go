// Package vault keeps sealed records: each value is encrypted and authenticated
// under a data key that the master key wraps, and bound to its vault and its
// name, so that a record cannot be read, changed, moved or swapped unnoticed.
//
// It knows nothing of providers or OAuth. Many processes share a vault, so nobody
// holds the store open: [Vault.View] and [Vault.Update] take a lock, open, run a
// function, and close. BadgerDB is the store; its own encryption is a second
// layer that hides names and authenticates nothing, and its consistency is not
// relied on: every transaction moves a sealed head record, and a file beside the
// store holds the same number.
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
	dir  string
	id   string
	keys atomic.Pointer[dataKeys] // as they were read last
}

// Open opens the vault in a profile's directory, and makes it there on first use.
func Open(dir string, master *MasterKey) (*Vault, error) {
	v := &Vault{dir: dir}
	info, _ := os.Stat(v.path("vault.json"))
	f, err := readFile(v.path("vault.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		info = nil
		f, err = v.createFirst(master)
	case err == nil && len(f.Keys) == 1 && missing(v.path("vault")):
		err = v.finishCreate()
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
	return v, nil
}

func (v *Vault) path(name string) string { return filepath.Join(v.dir, name) }

// ID identifies the vault for its life.
func (v *Vault) ID() string { return v.id }

// DeriveKey is a 32-byte key for another use, by HKDF-SHA256 of the data key.
// Uses with different labels cannot learn each other's.
func (v *Vault) DeriveKey(label string) []byte {
	k := v.keys.Load()
	return derive(k.data[k.kid], v.id, label)
}

func derive(data []byte, id, label string) []byte {
	key, err := hkdf.Key(sha256.New, data, []byte(id), "authsome "+label, 32)
	if err != nil {
		panic(err) // only for lengths that HKDF cannot give
	}
	return key
}

// View runs fn over a consistent state. It shares the vault with other views and
// waits for updates to end, until ctx is done ([ErrLocked]).
func (v *Vault) View(ctx context.Context, fn func(*Tx) error) error {
	unlock, err := v.lock(ctx, shared)
	if err != nil {
		return err
	}
	s, err := v.openPresent(readOnly)
	if errors.Is(err, errNeedsWrite) {
		// A process was killed while it wrote: the store can only be brought in
		// order by opening it for writing.
		unlock()
		if unlock, err = v.lock(ctx, exclusive); err != nil {
			return err
		}
		s, err = v.openPresent(readWrite)
	}
	defer func() { unlock() }()
	if err != nil {
		return err
	}
	defer s.close()
	return s.view(func(t storeTx) error {
		tx := &Tx{v: v, t: t}
		if _, err := tx.checkHead(); err != nil {
			return err
		}
		return fn(tx)
	})
}

// Update runs fn and makes what it wrote durable, all or nothing. It has the
// vault for itself. The generation moves with every Update, also when fn wrote
// nothing: that is how other processes are told to look again. It moves before
// the commit, so that no process can go on with what is no longer true.
func (v *Vault) Update(ctx context.Context, fn func(*Tx) error) (err error) {
	unlock, err := v.lock(ctx, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := v.openPresent(readWrite)
	if err != nil {
		return err
	}
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
	}()
	seq, err := v.settle(s)
	if err != nil {
		return err
	}
	return s.update(func(t storeTx) error {
		tx := &Tx{v: v, t: t, writable: true}
		if err := fn(tx); err != nil {
			return err
		}
		if err := tx.putHead(seq + 1); err != nil {
			return err
		}
		return v.writeGeneration(seq + 1)
	})
}

// settle checks the store and brings a head that an interrupted commit left
// behind up to its generation: two interruptions in a row would look like a
// rollback.
func (v *Vault) settle(s *store) (seq uint64, err error) {
	interrupted := false
	err = s.view(func(t storeTx) error {
		tx := &Tx{v: v, t: t}
		head, err := tx.checkHead()
		if err != nil {
			return err
		}
		seq, err = v.Generation()
		interrupted = seq != head
		return err
	})
	if err != nil || !interrupted {
		return seq, err
	}
	return seq, s.update(func(t storeTx) error { return (&Tx{v: v, t: t}).putHead(seq) })
}

// Tx is a transaction, valid until the function it was given to returns. It is
// for one goroutine.
type Tx struct {
	v        *Vault
	t        storeTx
	writable bool
}

// Record is one record, opened.
type Record struct {
	Key   string
	Value []byte
}

// headKey is the record that every transaction moves.
const headKey = "head"

type headRecord struct {
	Seq uint64 `json:"seq"`
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
	k := tx.v.keys.Load()
	sealed, err := k.all[k.kid].seal(key, value)
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

// checkHead compares the sealed head with the generation beside the store. They
// are equal, or the generation is one ahead: a write that was interrupted. It
// returns the head's number.
func (tx *Tx) checkHead() (uint64, error) {
	value, err := tx.Get(headKey)
	if errors.Is(err, ErrNotFound) {
		return 0, &DamageError{Path: tx.v.path("vault"), Reason: "the store is empty, though the vault was in use"}
	}
	if err != nil {
		return 0, err
	}
	var head headRecord
	if err := json.Unmarshal(value, &head); err != nil {
		return 0, &DamageError{Path: "record " + headKey, Reason: "not a head record"}
	}
	generation, err := tx.v.Generation()
	switch {
	case err != nil:
		return 0, err
	case generation == head.Seq || generation == head.Seq+1:
		return head.Seq, nil
	case generation > head.Seq:
		return 0, &DamageError{Path: tx.v.path("vault"), Reason: fmt.Sprintf("the store is older (%d) than its generation (%d): an old copy was put in its place", head.Seq, generation)}
	default:
		return 0, &DamageError{Path: tx.v.path("generation"), Reason: fmt.Sprintf("the generation (%d) is older than the store (%d)", generation, head.Seq)}
	}
}

func (tx *Tx) putHead(seq uint64) error {
	value, err := json.Marshal(headRecord{Seq: seq})
	if err != nil {
		return fmt.Errorf("encode head: %w", err)
	}
	return tx.put(headKey, value)
}
