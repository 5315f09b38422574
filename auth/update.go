package auth

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/vault"
)

// update changes a provider's records in one transaction: fn puts and deletes
// connections, and sets the default in the snapshot. The metadata record follows
// by itself. What is cached is dropped once the change is on the disk.
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

// putMetadata rewrites a provider's metadata record, keeping what it does not
// know of it.
func (a *Auth) putMetadata(tx *vault.Tx, provider, byDefault string, names []string) error {
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
	m.DefaultConnection, m.ConnectionNames = byDefault, names
	data, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return err
	}
	return tx.Put(key, data)
}

// SetDefault makes a connection the one that is used where none is named.
func (a *Auth) SetDefault(ctx context.Context, provider, name string) error {
	return a.update(ctx, provider, func(_ *vault.Tx, s *snapshot) error {
		if !s.has(provider, name) {
			return &LoginRequiredError{Provider: provider, Connection: name, Reason: ReasonMissing}
		}
		s.defaults[provider] = name
		return nil
	})
}

// SetStatus records that a connection's credential is found to be expired,
// revoked or invalid, or is good again.
func (a *Auth) SetStatus(ctx context.Context, provider, name string, status Status) error {
	return a.update(ctx, provider, func(tx *vault.Tx, s *snapshot) error {
		c, err := s.find(provider, name)
		if err != nil {
			return err
		}
		c.Status, c.StatusSince, c.StatusCode = status, time.Time{}, ""
		if status != StatusConnected {
			c.StatusSince = wall(a.now())
		}
		record, err := c.record(a.Profile)
		if err != nil {
			return err
		}
		return tx.Put(a.connectionKey(provider, c.Name), record)
	})
}
