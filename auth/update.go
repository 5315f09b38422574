package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/vault"
)

// update changes a provider's connections in one transaction. fn puts and deletes
// connections, and sets the default in the snapshot. Requests that a connection served
// before the change stay with it; see keepServing. The cache is dropped when the change
// is on disk.
func (a *Auth) update(ctx context.Context, provider string, fn func(*vault.Tx, *snapshot) error) error {
	return a.change(ctx, provider, func(tx *vault.Tx) error {
		before := a.table(tx)
		if err := a.updateRecords(tx, provider, fn); err != nil {
			return err
		}
		return a.keepServing(tx, before)
	})
}

// change runs a transaction that changes a provider's records, and drops the cache when
// the change is on disk.
func (a *Auth) change(ctx context.Context, provider string, fn func(*vault.Tx) error) error {
	if err := a.checkNames(provider); err != nil {
		return err
	}
	if err := a.Vault.Update(ctx, fn); err != nil {
		return err
	}
	a.dropCache()
	return nil
}

// updateRecords calls fn, and then writes the metadata record and removes what preferred
// a connection that fn has deleted. A connection that was used because it was the only
// one becomes the default when it gets company.
func (a *Auth) updateRecords(tx *vault.Tx, provider string, fn func(*vault.Tx, *snapshot) error) error {
	before, err := a.read(tx, a.providerPrefix(provider))
	if err != nil {
		return err
	}
	used, errUsed := before.choose(provider)
	if err := fn(tx, before); err != nil {
		return err
	}
	after, err := a.read(tx, a.providerPrefix(provider))
	if err != nil {
		return err
	}
	name, names := before.defaults[provider], after.names(provider)
	if errUsed == nil && name == "" && len(names) > 1 && slices.Contains(names, used) {
		name = used
	}
	if err := a.forgetPreferences(tx, provider, names); err != nil {
		return err
	}
	return a.putMetadata(tx, provider, name, names)
}

// putMetadata writes a provider's metadata record. Members that this version does not
// know are kept.
func (a *Auth) putMetadata(tx *vault.Tx, provider, defaultName string, names []string) error {
	key := a.metadataKey(provider)
	m := metadataRecord{SchemaVersion: schemaVersion, Profile: a.Profile, Provider: provider}
	switch data, err := tx.Get(key); {
	case errors.Is(err, vault.ErrNotFound):
	case err != nil:
		return err
	default:
		if err := decode(key, data, &m); err != nil {
			return err
		}
	}
	m.DefaultConnection, m.ConnectionNames = defaultName, names
	data, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return err
	}
	return tx.Put(key, data)
}

// SetDefault makes a connection the one that is used if none is named.
func (a *Auth) SetDefault(ctx context.Context, provider, name string) error {
	return a.change(ctx, provider, func(tx *vault.Tx) error {
		return a.updateRecords(tx, provider, func(_ *vault.Tx, s *snapshot) error {
			if !s.has(provider, name) {
				return s.missing(provider, name)
			}
			s.defaults[provider] = name
			return nil
		})
	})
}
