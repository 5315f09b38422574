package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// storeTx is what a transaction needs of a store. Badger is one; a store on a
// network could be another.
type storeTx interface {
	get(key string) ([]byte, error) // ErrNotFound
	set(key string, value []byte) error
	delete(key string) error
	list(prefix string, fn func(key string, value []byte) error) error
}

// store is an open Badger database. Only the holder of the vault's lock has one.
type store struct{ db *badger.DB }

type openMode int

const (
	readOnly openMode = iota
	readWrite
)

// errNeedsWrite says that a read-only open would miss what an interrupted
// process left in the log.
var errNeedsWrite = errors.New("the store must be opened for writing first")

// open checks the directory for what Badger would take for a new database, and
// opens it.
func (v *Vault) open(mode openMode) (*store, error) {
	dir := v.path("vault")
	if err := checkManifest(filepath.Join(dir, "MANIFEST")); err != nil {
		return nil, err
	}
	if err := checkRegistry(filepath.Join(dir, "KEYREGISTRY")); err != nil {
		return nil, err
	}
	switch cut, err := emptyLogs(dir); {
	case err != nil:
		return nil, fmt.Errorf("vault: %w", err)
	case len(cut) > 0 && mode == readOnly:
		return nil, errNeedsWrite
	case len(cut) > 0:
		// Killed between making a log file and sizing it. Nothing was written.
		for _, path := range cut {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("vault: %w", err)
			}
		}
	}
	return openStore(dir, v.storeKey(), mode)
}

func (v *Vault) storeKey() []byte { return v.DeriveKey("store") }

// checkManifest: Badger opens a directory whose MANIFEST is missing, or holds
// nothing but its header, as an empty database, and deletes the tables.
func checkManifest(path string) error {
	const header = 16
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return &DamageError{Path: path, Reason: "missing; restore the profile's directory from a copy", Err: err}
	}
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if info.Size() <= header {
		return &DamageError{Path: path, Reason: "cut short; restore the profile's directory from a copy"}
	}
	return nil
}

// checkRegistry: Badger crashes the process on a registry that is missing or
// shorter than its header.
func checkRegistry(path string) error {
	const header = 16 + 20 // IV, and the sealed check text with its checksum
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return &DamageError{Path: path, Reason: "missing; restore the profile's directory from a copy", Err: err}
	}
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if info.Size() < header {
		return &DamageError{Path: path, Reason: "cut short; restore the profile's directory from a copy"}
	}
	return nil
}

// emptyLogs lists log files of no length, which Badger refuses to open.
func emptyLogs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var empty []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".mem") && !strings.HasSuffix(e.Name(), ".vlog") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() == 0 {
			empty = append(empty, filepath.Join(dir, e.Name()))
		}
	}
	return empty, nil
}

// openStore opens Badger in its smallest form. Records are few and small; a
// process opens the store many times and never holds it.
func openStore(dir string, key []byte, mode openMode) (*store, error) {
	o := badger.DefaultOptions(dir)
	o.ReadOnly = mode == readOnly
	o.Logger = nil
	o.MetricsEnabled = false
	o.EncryptionKey = key
	o.SyncWrites = true
	o.MemTableSize = 1 << 20
	o.NumMemtables = 1
	o.ValueLogFileSize = 1 << 20
	o.ValueThreshold = 64 << 10
	o.NumCompactors = 2
	o.CompactL0OnClose = true // short-lived processes never compact otherwise
	o.BlockCacheSize = 1 << 20
	o.IndexCacheSize = 1 << 20                       // 0 panics in the background with an encryption key
	o.ChecksumVerificationMode = options.OnTableRead // the others lose records, or crash, on damage
	db, err := badger.Open(o)
	switch {
	case err == nil:
		return &store{db}, nil
	case errors.Is(err, badger.ErrEncryptionKeyMismatch):
		return nil, &DamageError{Path: filepath.Join(dir, "KEYREGISTRY"), Reason: "it was changed, or belongs to another vault", Err: err}
	case mode == readOnly && strings.Contains(err.Error(), badger.ErrTruncateNeeded.Error()):
		return nil, errNeedsWrite
	default:
		return nil, &DamageError{Path: dir, Reason: "the store cannot be opened: " + err.Error(), Err: err}
	}
}

func (s *store) close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the vault: %w", err)
	}
	return nil
}

func (s *store) view(fn func(storeTx) error) error {
	return s.db.View(func(t *badger.Txn) error { return fn(badgerTx{t}) })
}

func (s *store) update(fn func(storeTx) error) error {
	return s.db.Update(func(t *badger.Txn) error { return fn(badgerTx{t}) })
}

type badgerTx struct{ t *badger.Txn }

func (b badgerTx) get(key string) ([]byte, error) {
	item, err := b.t.Get([]byte(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", key, err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", key, err)
	}
	return value, nil
}

func (b badgerTx) set(key string, value []byte) error {
	if err := b.t.Set([]byte(key), value); err != nil {
		return fmt.Errorf("write record %s: %w", key, err)
	}
	return nil
}

func (b badgerTx) delete(key string) error {
	if err := b.t.Delete([]byte(key)); err != nil {
		return fmt.Errorf("delete record %s: %w", key, err)
	}
	return nil
}

func (b badgerTx) list(prefix string, fn func(string, []byte) error) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte(prefix)
	it := b.t.NewIterator(o)
	defer it.Close()
	for it.Seek(o.Prefix); it.Valid(); it.Next() {
		item := it.Item()
		if !bytes.HasPrefix(item.Key(), o.Prefix) {
			break
		}
		value, err := item.ValueCopy(nil)
		if err != nil {
			return fmt.Errorf("read record %s: %w", item.Key(), err)
		}
		if err := fn(string(item.Key()), value); err != nil {
			return err
		}
	}
	return nil
}
