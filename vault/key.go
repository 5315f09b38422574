package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/google/renameio/v2/maybe"

	"github.com/authsome/authsome/secret"
)

// MasterKey wraps the data keys of vaults. It does not print.
type MasterKey struct{ key secret.String }

const keySize = 32

// keyFile is master.key, as the Python authsome wrote it too. Members that are
// not read are somebody else's and are left as they are: the file is written
// once.
type keyFile struct {
	Version   int    `json:"version"`
	Key       string `json:"key"` // base64
	Algorithm string `json:"algorithm"`
}

// ErrKeyExposed says that others can read the master key, or that another user
// owns it.
var ErrKeyExposed = errors.New("others can read the master key, or own it")

// EnsureMasterKey reads the key at path, and makes one where there is none. Of
// several processes that do so at once, all return the same key.
func EnsureMasterKey(path string) (*MasterKey, error) {
	k, err := LoadMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	raw := make([]byte, keySize)
	rand.Read(raw)
	b, err := json.Marshal(keyFile{Version: 1, Key: base64.StdEncoding.EncodeToString(raw), Algorithm: algorithm})
	if err != nil {
		return nil, fmt.Errorf("encode master key: %w", err)
	}
	if err := createFile(path, append(b, '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	return LoadMasterKey(path)
}

// createFile makes a whole file, durable, or fails with fs.ErrExist: a link
// never replaces, as a rename would.
func createFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// LoadMasterKey reads the key at path.
func LoadMasterKey(path string) (*MasterKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	var k keyFile
	if err := json.Unmarshal(b, &k); err != nil || k.Version != 1 || k.Algorithm != "" && k.Algorithm != algorithm {
		return nil, &DamageError{Path: path, Reason: "not a master key file"}
	}
	raw, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		raw, err = base64.URLEncoding.DecodeString(k.Key)
	}
	if err != nil || len(raw) != keySize {
		return nil, &DamageError{Path: path, Reason: "not 32 bytes in base64"}
	}
	return &MasterKey{secret.New(string(raw))}, nil
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
	aead, err := newAEAD([]byte(m.key.Reveal()))
	if err != nil {
		return nil, err
	}
	if len(w.Wrapped) != nonceSize+keySize+tagSize {
		return nil, &DamageError{Path: "vault.json", Reason: "a wrapped key has the wrong length"}
	}
	data, err := aead.Open(nil, w.Wrapped[:nonceSize], w.Wrapped[nonceSize:], associated("key", id, w.KID))
	if err != nil || kidOf(data) != w.KID {
		return nil, ErrWrongKey
	}
	return data, nil
}

// replaceFile writes a file whole and durably, in place of one that may be there.
func replaceFile(path string, data []byte) error {
	if err := maybe.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
