package vault

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/secret"
)

// keyFile is master.key. In version 1 the key is in it, as the Python authsome
// wrote it too; in version 2 a passphrase wraps it. Members that are not read
// are somebody else's, and go with the key when it is changed.
type keyFile struct {
	Version   int    `json:"version"`
	Key       string `json:"key,omitzero"` // base64
	Algorithm string `json:"algorithm"`
	KDF       *kdf   `json:"kdf,omitzero"`
	Wrapped   []byte `json:"wrapped,omitzero"`    // nonce, ciphertext, tag
	CreatedAt string `json:"created_at,omitzero"` // for people; RFC 3339
}

// Errors about where a master key is kept.
var (
	// ErrKeyExposed says that others can read the master key, or that another
	// user owns it.
	ErrKeyExposed = errors.New("others can read the master key, or own it")
	// ErrKeyMissing says that there are vaults and no master key for them.
	ErrKeyMissing = errors.New("the master key is missing, and there are vaults that need it")
	// ErrNoKeyFile says that the file of [ModeFile] is not there.
	ErrNoKeyFile = errors.New("the file with the master key is not there")
)

// readKeyFile reads a key in any form that is accepted: our JSON, 32 bytes, or
// these in base64.
func readKeyFile(path string, check func(*os.File) error) (keyFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return keyFile{}, fmt.Errorf("master key: %w", err)
	}
	defer f.Close()
	if err := check(f); err != nil {
		return keyFile{}, fmt.Errorf("master key %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return keyFile{}, fmt.Errorf("master key: %w", err)
	}
	k, reason := parseKeyFile(b)
	if reason != "" {
		return keyFile{}, &DamageError{Path: path, Reason: reason}
	}
	return k, nil
}

func parseKeyFile(b []byte) (k keyFile, reason string) {
	if len(b) == keySize && !printable(b) {
		return keyFile{Version: 1, Key: base64.StdEncoding.EncodeToString(b)}, ""
	}
	if _, err := decodeKey(string(b)); err == nil {
		return keyFile{Version: 1, Key: string(b)}, ""
	}
	if err := json.Unmarshal(b, &k); err != nil || k.Algorithm != "" && k.Algorithm != algorithm {
		return keyFile{}, "not a master key file"
	}
	switch k.Version {
	case 1:
		if _, err := decodeKey(k.Key); err != nil {
			return keyFile{}, err.Error()
		}
		k.KDF = nil
		return k, ""
	case 2:
		return k, k.checkPassphrase()
	}
	return keyFile{}, "not a master key file, or one of a newer authsome"
}

// printable: 32 letters are a word somebody typed, and no key.
func printable(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || !unicode.IsPrint(rune(c)) && !unicode.IsSpace(rune(c)) {
			return false
		}
	}
	return true
}

func decodeKey(s string) ([]byte, error) {
	s = strings.TrimRight(s, "\r\n")
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		if raw, err := encoding.DecodeString(s); err == nil && len(raw) == keySize {
			return raw, nil
		}
	}
	return nil, errors.New("not 32 bytes in base64")
}

// plain is the key of a file that holds it in clear.
func (k keyFile) plain(path string) (*MasterKey, error) {
	raw, err := decodeKey(k.Key)
	if err != nil {
		return nil, &DamageError{Path: path, Reason: err.Error()}
	}
	return &MasterKey{key: secret.New(string(raw))}, nil
}

// makeKeyFile writes a key in clear to a file that is not there yet.
func makeKeyFile(path string, m *MasterKey) error {
	return createKeyFile(path, keyFile{
		Version: 1, Key: base64.StdEncoding.EncodeToString([]byte(m.key.Reveal())), Algorithm: algorithm, CreatedAt: time.Now().UTC().Format(time.RFC3339),
	})
}

func createKeyFile(path string, k keyFile) error {
	b, err := json.Marshal(k)
	if err != nil {
		return errors.New("encode master key")
	}
	return durable.Create(path, append(b, '\n'))
}
