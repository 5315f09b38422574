package sidecar

import (
	"context"
	"errors"
	"fmt"

	"github.com/authsome/authsome/internal/regular"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/vault"
)

// authorityKey is the vault record of a profile's stored authority.
const authorityKey = "authority:root"

// authorityRecord is the content of that record. Outside of the vault, the private
// key exists only in memory.
type authorityRecord struct {
	SchemaVersion int    `json:"schema_version"`
	Certificate   string `json:"certificate"` // PEM
	Key           []byte `json:"key"`         // PKCS #8, base64
}

// StoredAuthority returns the profile's permanent authority, so that clients keep
// their trust in the proxy when it restarts. It is made with these options on first
// use. Its key is a record of the vault; its certificate is also written to path.
func StoredAuthority(ctx context.Context, v *vault.Vault, path string, o ca.Options) (*ca.Authority, error) {
	stored, err := loadAuthority(ctx, v)
	if errors.Is(err, vault.ErrNotFound) {
		stored, err = makeAuthority(ctx, v, o, false)
	}
	if err != nil {
		return nil, fmt.Errorf("authority of the profile: %w", err)
	}
	return stored, publish(stored, path)
}

// NewStoredAuthority replaces the profile's authority by a new one. A running
// sidecar keeps the authority that it started with.
func NewStoredAuthority(ctx context.Context, v *vault.Vault, path string, o ca.Options) (*ca.Authority, error) {
	made, err := makeAuthority(ctx, v, o, true)
	if err != nil {
		return nil, fmt.Errorf("authority of the profile: %w", err)
	}
	return made, publish(made, path)
}

// maxCertificate limits the size of the file with the authority's certificate, in bytes.
const maxCertificate = 64 << 10

// publish writes the authority's certificate to path, unless the file has it.
func publish(a *ca.Authority, path string) error {
	have, err := regular.Read(path, maxCertificate)
	if err == nil && string(have) == string(a.CertificatePEM()) {
		return nil
	}
	if _, other := errors.AsType[*regular.Error](err); other {
		return fmt.Errorf("write the authority's certificate: %w", err)
	}
	if err := durable.Replace(path, a.CertificatePEM(), 0o600); err != nil {
		return fmt.Errorf("write the authority's certificate: %w", err)
	}
	return nil
}

func loadAuthority(ctx context.Context, v *vault.Vault) (*ca.Authority, error) {
	var value []byte
	err := v.View(ctx, func(tx *vault.Tx) (err error) {
		value, err = tx.Get(authorityKey)
		return err
	})
	if err != nil {
		return nil, err
	}
	return parseAuthority(value)
}

func parseAuthority(value []byte) (*ca.Authority, error) {
	var r authorityRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, errors.New("its record cannot be read: it is damaged, or another version wrote it")
	}
	return ca.Parse([]byte(r.Certificate), r.Key)
}

// makeAuthority stores a new authority. If replace is false and another process has
// stored one first, it returns that one.
func makeAuthority(ctx context.Context, v *vault.Vault, o ca.Options, replace bool) (made *ca.Authority, err error) {
	err = v.Update(ctx, func(tx *vault.Tx) error {
		value, err := tx.Get(authorityKey)
		if err == nil && !replace {
			made, err = parseAuthority(value)
			return err
		}
		if err != nil && !errors.Is(err, vault.ErrNotFound) {
			return err
		}
		if made, err = ca.New(o); err != nil {
			return err
		}
		key, err := made.KeyDER()
		if err != nil {
			return err
		}
		if value, err = json.Marshal(authorityRecord{SchemaVersion: 1, Certificate: string(made.CertificatePEM()), Key: key}); err != nil {
			return err
		}
		return tx.Put(authorityKey, value)
	})
	return made, err
}
