package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"

	"github.com/authsome/authsome/secret"
)

// MasterKey wraps the data keys of vaults. Formatting it never shows the key.
//
// While a home's master key is being changed there are two keys: the current one
// wraps, both unwrap.
type MasterKey struct {
	key     secret.String
	others  []secret.String // also unwrap
	readErr error           // why another key could not be read

	reload     func() (*MasterKey, error)                       // reads the key again after a change; nil if it cannot change
	loadLocked func() (m *MasterKey, release func(), err error) // reads the key and blocks a change until release; nil if it cannot change
}

const keySize = 32

func newMasterKey() *MasterKey {
	raw := make([]byte, keySize)
	rand.Read(raw) // never fails
	return &MasterKey{key: secret.New(string(raw))}
}

// wrappedKey is a data key in vault.json.
type wrappedKey struct {
	KID     string `json:"kid"`
	Wrapped []byte `json:"wrapped"` // nonce, ciphertext, tag
}

// kidOf returns the ID of a data key: the first 8 bytes of its SHA-256.
func kidOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

func (m *MasterKey) wrap(id string, data []byte) (wrappedKey, error) {
	aead, err := newAEAD([]byte(m.key.Reveal()))
	if err != nil {
		return wrappedKey{}, err
	}
	kid := kidOf(data)
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return wrappedKey{KID: kid, Wrapped: aead.Seal(nonce, nonce, data, associated("key", id, kid))}, nil
}

func (m *MasterKey) unwrap(id string, w wrappedKey) ([]byte, error) {
	if len(w.Wrapped) != nonceSize+keySize+tagSize {
		return nil, &DamageError{Path: "vault.json", Reason: "a wrapped key has the wrong length"}
	}
	for _, key := range append([]secret.String{m.key}, m.others...) {
		aead, err := newAEAD([]byte(key.Reveal()))
		if err != nil {
			return nil, err
		}
		data, err := aead.Open(nil, w.Wrapped[:nonceSize], w.Wrapped[nonceSize:], associated("key", id, w.KID))
		if err == nil && kidOf(data) == w.KID {
			return data, nil
		}
	}
	if m.readErr != nil {
		return nil, m.readErr
	}
	return nil, ErrWrongKey
}

// unwrapAll unwraps all data keys of a vault.
func (m *MasterKey) unwrapAll(f vaultFile, info fs.FileInfo) (*dataKeys, error) {
	k := &dataKeys{master: m, info: info}
	for _, w := range f.Keys {
		data, err := m.unwrap(f.ID, w)
		if err != nil {
			return nil, err
		}
		if err := k.add(f.ID, w.KID, data); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// open is unwrapAll, but if that fails it reads the master key again, which may
// have changed, and tries once more.
func (m *MasterKey) open(f vaultFile, info fs.FileInfo) (*dataKeys, error) {
	k, err := m.unwrapAll(f, info)
	if err == nil || m.reload == nil || isDamage(err) {
		return k, err
	}
	fresh, err := m.reload()
	if err != nil {
		return nil, err
	}
	return fresh.unwrapAll(f, info)
}
