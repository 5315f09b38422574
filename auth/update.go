package auth

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/vault"
)

// update changes a provider's records in one transaction. fn puts and deletes
// connections, and sets the default in the snapshot; update then writes the metadata
// record. The cache is dropped when the change is on disk.
func (a *Auth) update(ctx context.Context, provider string, fn func(*vault.Tx, *snapshot) error) error {
	if err := a.checkNames(provider); err != nil {
		return err
	}
	err := a.Vault.Update(ctx, func(tx *vault.Tx) error {
		before, err := a.read(tx, a.providerPrefix(provider))
		if err != nil {
			return err
		}
		if err := fn(tx, before); err != nil {
			return err
		}
		after, err := a.read(tx, a.providerPrefix(provider))
		if err != nil {
			return err
		}
		return a.putMetadata(tx, provider, before.defaults[provider], after.names(provider))
	})
	if err != nil {
		return err
	}
	a.dropCache()
	return nil
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
	return a.update(ctx, provider, func(_ *vault.Tx, s *snapshot) error {
		if !s.has(provider, name) {
			return s.missing(provider, name)
		}
		s.defaults[provider] = name
		return nil
	})
}
