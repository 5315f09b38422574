package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/authsome/authsome/secret"
)

// MasterKey wraps the data keys of vaults. It does not print.
//
// While the master key is being changed there are two: the present one wraps,
// and both unwrap.
type MasterKey struct {
	key   secret.String
	older []secret.String
	lost  error // why one of them could not be read

	again func() (*MasterKey, error)                       // reads it anew; nil if it stays
	hold  func() (m *MasterKey, release func(), err error) // keeps it from being changed; nil if it stays
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

// kidOf names a data key: the first 8 bytes of its SHA-256.
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
	for _, key := range append([]secret.String{m.key}, m.older...) {
		aead, err := newAEAD([]byte(key.Reveal()))
		if err != nil {
			return nil, err
		}
		data, err := aead.Open(nil, w.Wrapped[:nonceSize], w.Wrapped[nonceSize:], associated("key", id, w.KID))
		if err == nil && kidOf(data) == w.KID {
			return data, nil
		}
	}
	if m.lost != nil {
		return nil, m.lost
	}
	return nil, ErrWrongKey
}

// dataKeys are a vault's data keys, unwrapped. They are immutable: what changes
// them makes others.
type dataKeys struct {
	kid string             // of the present one, the last in vault.json
	all map[string]*sealer // by kid

	master *MasterKey
	read   fs.FileInfo // vault.json, at the latest when it was read
}

func (k *dataKeys) add(id, kid string, data []byte) (err error) {
	if k.all == nil {
		k.all = make(map[string]*sealer)
	}
	k.kid = kid
	k.all[kid], err = newSealer(data, id, kid)
	return err
}

// present is what seals.
func (k *dataKeys) present() *sealer { return k.all[k.kid] }

// isRead reports whether the keys are those of this vault.json.
func (k *dataKeys) isRead(info fs.FileInfo) bool {
	return k.read != nil && os.SameFile(k.read, info) && k.read.ModTime().Equal(info.ModTime()) && k.read.Size() == info.Size()
}

// those are the keys of a vault.json that names no others: only the master key
// was changed, and it is not needed.
func (k *dataKeys) those(f file, info fs.FileInfo) (*dataKeys, bool) {
	some := &dataKeys{master: k.master, read: info}
	for _, w := range f.Keys {
		s, known := k.all[w.KID]
		if !known || some.add(f.ID, w.KID, s.data) != nil {
			return nil, false
		}
	}
	return some, true
}

// unwrapAll opens all data keys of a vault.
func (m *MasterKey) unwrapAll(f file, info fs.FileInfo) (*dataKeys, error) {
	k := &dataKeys{master: m, read: info}
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

// open is unwrapAll, with the master key read again if it was changed since.
func (m *MasterKey) open(f file, info fs.FileInfo) (*dataKeys, error) {
	k, err := m.unwrapAll(f, info)
	if err == nil || m.again == nil {
		return k, err
	}
	if _, damaged := errors.AsType[*DamageError](err); damaged {
		return nil, err
	}
	fresh, err := m.again()
	if err != nil {
		return nil, err
	}
	return fresh.unwrapAll(f, info)
}

// createFirst makes the vault while the master key cannot be changed.
func (v *Vault) createFirst(master *MasterKey) (file, error) {
	if master.hold == nil {
		return v.create(master)
	}
	held, release, err := master.hold()
	if err != nil {
		return file{}, err
	}
	defer release()
	return v.create(held)
}

// Describe is what can be known of a profile's vault without a key: its id, and
// the names of its data keys. Without a vault the error is os.ErrNotExist.
func Describe(dir string) (id string, kids []string, err error) {
	f, err := readFile(filepath.Join(dir, "vault.json"))
	if err != nil {
		return "", nil, err
	}
	for _, w := range f.Keys {
		kids = append(kids, w.KID)
	}
	return f.ID, kids, nil
}
