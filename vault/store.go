package vault

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// store keeps sealed records by key, for many processes at once. It knows no
// secret of the records; what it returns is authenticated by the vault. The
// store on disk is [files]; another could be on a network. One suite of tests
// holds for all.
type store interface {
	// view runs fn over one state, the last that an update left, and gives the
	// number of that update. It waits for what is in its way until ctx is done
	// (ErrLocked).
	view(ctx context.Context, fn func(seq uint64, t storeTx) error) error

	// update runs fn alone and makes what it wrote durable, all or nothing, as
	// the update after seq. When it returns nil the change is stored and every
	// later view shows it. If fn fails, nothing happened.
	update(ctx context.Context, fn func(seq uint64, t storeTx) error) error

	// generation is the number of the last update. It waits for nobody, so that
	// processes can poll it.
	generation() (uint64, error)
}

// storeTx is what a transaction needs of a store.
type storeTx interface {
	get(key string) ([]byte, error) // ErrNotFound
	set(key string, value []byte) error
	delete(key string) error
	// list calls fn in the order of the keys.
	list(prefix string, fn func(key string, value []byte) error) error
}

// memory is a transaction over records that are all in memory.
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
