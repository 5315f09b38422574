package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/vault"
)

// change is a change of a connection's record. It is written only if the record still
// is what it changes from.
type change struct{ from, to Connection }

// errReplaced says that the record was changed in the meantime, by a login or a logout.
// That change wins.
var errReplaced = errors.New("the connection was changed in the meantime")

// Writing an outcome is retried for about as long as a person needs to notice a full
// disk. The connection's lock is held during that time.
const (
	saveTime = 30 * time.Second
	saveWait = 50 * time.Millisecond
)

// save writes an outcome to disk and then puts it into use. An outcome that cannot be
// written stays in memory, unused, and the next flight writes it.
func (a *Auth) save(k *keeper, w change) error {
	until := a.now().Add(saveTime)
	for wait := saveWait; ; wait = min(2*wait, time.Second) {
		err := a.saveOnce(w)
		if err == nil || errors.Is(err, vault.ErrLeftBehind) {
			return err
		}
		if a.now().Add(wait).After(until) {
			k.mu.Lock()
			k.unsaved = &w
			k.mu.Unlock()
			return err
		}
		time.Sleep(wait)
	}
}

// saveOnce tries to write an outcome. It puts the outcome into use even if the error is
// [vault.ErrLeftBehind], since the outcome is then on disk.
func (a *Auth) saveOnce(w change) error {
	a.reloadMu.Lock() // so that an older reading is not cached afterwards
	defer a.reloadMu.Unlock()
	err := a.write(w)
	if errors.Is(err, errReplaced) {
		err = nil
	}
	if err != nil && !errors.Is(err, vault.ErrLeftBehind) {
		return err
	}
	if err := a.reloadConnection(target{w.to.Provider, w.to.Name}); err != nil {
		a.dropCache() // the outcome is on disk; the next request reads it
	}
	return err
}

// saveUnsaved writes the outcome that an earlier flight could not write.
func (a *Auth) saveUnsaved(k *keeper) error {
	k.mu.Lock()
	w := k.unsaved
	k.mu.Unlock()
	if w == nil {
		return nil
	}
	err := a.saveOnce(*w)
	if err != nil && !errors.Is(err, vault.ErrLeftBehind) {
		return err
	}
	k.mu.Lock()
	k.unsaved = nil
	k.mu.Unlock()
	return err
}

// write writes a change to disk.
func (a *Auth) write(w change) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	record, err := w.to.record(a.Profile)
	if err != nil {
		return err
	}
	key := a.connectionKey(w.to.Provider, w.to.Name)
	err = a.Vault.Update(ctx, func(tx *vault.Tx) error {
		data, err := tx.Get(key)
		if errors.Is(err, vault.ErrNotFound) {
			return errReplaced
		}
		if err != nil {
			return err
		}
		found, err := parseConnection(key, w.to.Provider, w.to.Name, data)
		if err != nil {
			return errReplaced
		}
		if clients, err := a.getClients(tx, w.to.Provider); err == nil { // as readConnection
			found = found.withImportedClient(clients)
		}
		if !found.sameTokens(w.from) {
			return errReplaced
		}
		return tx.Put(key, record)
	})
	if err != nil {
		return fmt.Errorf("record the refresh of %s: %w", fullName(w.to.Provider, w.to.Name), err)
	}
	return nil
}

// sameTokens reports whether two readings have the same tokens and the same attempt.
func (c Connection) sameTokens(other Connection) bool {
	return c.AccessToken.Equal(other.AccessToken) && c.RefreshToken.Equal(other.RefreshToken) && c.Status == other.Status &&
		c.RefreshStarted.Equal(other.RefreshStarted) && c.RefreshAttempts == other.RefreshAttempts
}

// readConnection reads a connection and the provider's clients. A connection that does
// not exist has StatusNotConnected.
func (a *Auth) readConnection(ctx context.Context, t target) (c Connection, clients []flows.Client, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	err = a.Vault.View(ctx, func(tx *vault.Tx) error {
		key := a.connectionKey(t.provider, t.connection)
		data, err := tx.Get(key)
		if errors.Is(err, vault.ErrNotFound) {
			c = Connection{Provider: t.provider, Name: t.connection, Status: StatusNotConnected}
			return nil
		}
		if err != nil {
			return err
		}
		if c, err = parseConnection(key, t.provider, t.connection, data); err != nil {
			return err
		}
		if clients, err = a.getClients(tx, t.provider); err == nil {
			c = c.withImportedClient(clients)
		}
		return err
	})
	return c, clients, err
}

// reloadConnection caches a connection as it is on disk.
func (a *Auth) reloadConnection(t target) error {
	c, clients, err := a.readConnection(context.Background(), t)
	if err != nil {
		return err
	}
	e, err := a.compileConnection(c, clients)
	if err != nil {
		return err
	}
	a.replaceEntry(e)
	return nil
}
