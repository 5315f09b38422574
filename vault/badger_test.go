package vault

import (
	"context"

	"github.com/dgraph-io/badger/v4"
)

// allVersions calls fn for every version of a record in the store, including
// deleted and replaced ones.
func (f *files) allVersions(fn func(key string)) error {
	unlock, err := lock(context.Background(), f.path("vault.lock"), shared, nil)
	if err != nil {
		return err
	}
	defer unlock()
	g, dir, err := f.current()
	if err != nil {
		return err
	}
	key, _, err := f.keys(g.KID)
	if err != nil {
		return err
	}
	db, err := openBadger(dir, key)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(t *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.AllVersions = true
		it := t.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			fn(string(it.Item().Key()))
		}
		return nil
	})
}
