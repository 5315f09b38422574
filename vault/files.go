package vault

import (
	"context"
	"crypto/hmac"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/authsome/authsome/internal/durable"
)

// files is the store in a profile's directory. A store is never modified after it
// is written: an update writes the next store to another directory and then
// replaces the generation file, which identifies the current store by the
// checksums of its files. If the process is killed or the disk is full at any
// moment, the directory has either the old generation and the old store, or the
// new generation and the new store.
//
//	vault/       the current store
//	vault.new/   the next store; it is current if a process was killed just after its update
//	generation
//	vault.lock, vault.lock.turn
type files struct {
	dir        string
	lock       func(context.Context, lockMode) (unlock func(), err error)
	currentKID func() string                                   // the ID of the data key for writing
	keys       func(kid string) (store, mac []byte, err error) // derived from a data key
}

func (f *files) path(name string) string { return filepath.Join(f.dir, name) }

func (f *files) generation() (uint64, error) {
	// Each try can meet an update, which renames the store after the generation has
	// changed. Updates take milliseconds, and a try much less.
	const tries = 3
	for try := 1; ; try++ {
		g, err := f.readGeneration()
		if err == nil {
			err = f.present(g)
		}
		if err == nil || try == tries {
			return g.Seq, err
		}
	}
}

// present checks without a lock that the files of the store exist and can be opened. It
// does not read them.
func (f *files) present(g generation) error {
	err := g.present(f.path("vault"))
	if err != nil && g.present(f.path("vault.new")) == nil {
		return nil
	}
	return err
}

func (f *files) readGeneration() (generation, error) {
	path := f.path("generation")
	g, err := readGeneration(path)
	if err != nil {
		return generation{}, err
	}
	_, mac, err := f.keys(g.KID)
	if err != nil || !hmac.Equal(g.MAC, g.mac(mac)) {
		return generation{}, &DamageError{Path: path, Reason: "modified, or from another vault", Err: err}
	}
	return g, nil
}

// current finds the store that matches the generation. The caller has the lock.
func (f *files) current() (g generation, dir string, err error) {
	if g, err = f.readGeneration(); err != nil {
		return generation{}, "", err
	}
	dir = f.path("vault")
	if err = g.check(dir); err == nil {
		return g, dir, nil
	}
	if next := f.path("vault.new"); g.check(next) == nil {
		return g, next, nil
	}
	return generation{}, "", err
}

func (f *files) view(ctx context.Context, fn func(uint64, storeTx) error) error {
	unlock, err := f.lock(ctx, shared)
	if err != nil {
		return err
	}
	defer unlock()
	g, dir, err := f.current()
	if err != nil {
		return err
	}
	return f.read(g, dir, fn)
}

func (f *files) read(g generation, dir string, fn func(uint64, storeTx) error) error {
	key, _, err := f.keys(g.KID)
	if err != nil {
		return err
	}
	db, err := openBadger(dir, key)
	if err != nil {
		return err
	}
	defer db.Close() // nothing was written
	return db.View(func(t *badger.Txn) error { return fn(g.Seq, badgerTx{t}) })
}

func (f *files) update(ctx context.Context, fn func(uint64, storeTx) error) error {
	unlock, err := f.lock(ctx, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	return f.updateLocked(fn)
}

// updateLocked is update for a caller that has the exclusive lock.
func (f *files) updateLocked(fn func(uint64, storeTx) error) error {
	g, dir, err := f.current()
	if err != nil {
		return err
	}
	records := make(memory)
	err = f.read(g, dir, func(_ uint64, t storeTx) error {
		return t.list("", records.set)
	})
	if err != nil {
		return err
	}
	if err := fn(g.Seq, records); err != nil {
		return err
	}
	if dir != f.path("vault") {
		if err := f.promote(); err != nil {
			return fmt.Errorf("finish an interrupted update of the vault: %w", err)
		}
	}
	if err := f.prepare(g.Seq+1, records); err != nil {
		return fmt.Errorf("write the vault: %w", err)
	}
	if err := f.commit(); err != nil {
		return fmt.Errorf("write the vault: %w", err)
	}
	if err := f.promote(); err != nil {
		return fmt.Errorf("%w: %w", ErrLeftBehind, err)
	}
	return nil
}

// prepare writes the next store and the next generation. The current ones stay as
// they are.
func (f *files) prepare(seq uint64, records memory) (err error) {
	dir := f.path("vault.new")
	defer func() {
		if err != nil {
			os.RemoveAll(dir) // frees the space if the disk is full
			os.Remove(f.path("generation.new"))
		}
	}()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	kid := f.currentKID()
	key, mac, err := f.keys(kid)
	if err != nil {
		return err
	}
	if err := writeBadger(dir, key, seq, records); err != nil {
		return err
	}
	if err := durable.SyncDir(dir); err != nil {
		return err
	}
	g := generation{Seq: seq, KID: kid}
	if g.Files, err = inventory(dir); err != nil {
		return err
	}
	g.MAC = g.mac(mac)
	if err := durable.Write(f.path("generation.new"), g.encode()); err != nil {
		return err
	}
	return durable.SyncDir(f.dir)
}

// commit makes the prepared store the current one.
func (f *files) commit() error {
	return durable.Rename(f.path("generation.new"), f.path("generation"))
}

// promote deletes the previous store, with every value that the update replaced,
// and renames the current store to its final name.
func (f *files) promote() error {
	if err := os.RemoveAll(f.path("vault")); err != nil {
		return err
	}
	return os.Rename(f.path("vault.new"), f.path("vault"))
}
