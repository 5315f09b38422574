package vault

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// store keeps sealed records by key for many processes at the same time. It does
// not have the keys of the records; the vault authenticates what it returns.
// [files] is the store on disk; another store could be on a network. TestStores
// tests every store.
type store interface {
	// view runs fn on the state that the last update left. seq is the number of that
	// update. view waits for running updates until ctx is done (ErrLocked).
	view(ctx context.Context, fn func(seq uint64, t storeTx) error) error

	// update runs fn while no other transaction runs, and stores what fn wrote as
	// the update after seq, all or nothing. When update returns nil, the change is
	// durable and every later view shows it. If fn fails, nothing has changed.
	update(ctx context.Context, fn func(seq uint64, t storeTx) error) error

	// generation returns the number of the last update, or an error if the records are
	// gone. It never waits, so that processes can poll it.
	generation() (uint64, error)
}

// storeTx is a transaction of a store.
type storeTx interface {
	get(key string) ([]byte, error) // ErrNotFound
	set(key string, value []byte) error
	delete(key string) error
	// list calls fn for each record whose key has the prefix, in the order of the
	// keys.
	list(prefix string, fn func(key string, value []byte) error) error
}

// memory is a transaction on records in memory.
type memory map[string][]byte

func (m memory) get(key string) ([]byte, error) {
	value, ok := m[key]
	if !ok {
		return nil, ErrNotFound
	}
	return value, nil
}

func (m memory) set(key string, value []byte) error {
	m[key] = value
	return nil
}

func (m memory) delete(key string) error {
	delete(m, key)
	return nil
}

func (m memory) list(prefix string, fn func(string, []byte) error) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if err := fn(key, m[key]); err != nil {
			return err
		}
	}
	return nil
}
