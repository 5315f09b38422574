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

	"github.com/authsome/authsome/internal/regular"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/secret"
)

// keyFile is master.key. Version 1 contains the key itself, as the files of the
// Python authsome do. In version 2 the key is encrypted with a passphrase. Members
// that are not listed here are ignored, and lost when the key is changed.
type keyFile struct {
	Version   int    `json:"version"`
	Key       string `json:"key,omitzero"` // base64
	Algorithm string `json:"algorithm"`
	KDF       *kdf   `json:"kdf,omitzero"`
	Wrapped   []byte `json:"wrapped,omitzero"`    // nonce, ciphertext, tag
	CreatedAt string `json:"created_at,omitzero"` // for people; RFC 3339
}

// Errors about the file of a master key.
var (
	// ErrKeyExposed means that other users can read the master key, or that another
	// user owns it.
	ErrKeyExposed = errors.New("others can read the master key, or own it")
	// ErrKeyMissing means that the home has vaults but no master key.
	ErrKeyMissing = errors.New("the master key is missing, and there are vaults that need it")
	// ErrNoKeyFile means that the file of [ModeFile] does not exist.
	ErrNoKeyFile = errors.New("the master key file does not exist")
)

// fileCheck verifies the owner and the mode of a file. If they are wrong, its error
// wraps exposed.
type fileCheck func(f *os.File, exposed error) error

// maxKeyFile limits the size of a file with a key or a passphrase, in bytes.
const maxKeyFile = 64 << 10

// readKeyFile reads a key in any accepted form: our JSON, 32 bytes, or 32 bytes in
// base64.
func readKeyFile(path string, check fileCheck) (keyFile, error) {
	f, err := regular.Open(path)
	if err != nil {
		return keyFile{}, fmt.Errorf("master key: %w", err)
	}
	defer f.Close()
	if err := check(f, ErrKeyExposed); err != nil {
		return keyFile{}, fmt.Errorf("master key %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return keyFile{}, fmt.Errorf("master key: %w", err)
	}
	if len(b) > maxKeyFile {
		return keyFile{}, &DamageError{Path: path, Reason: (&regular.SizeError{Limit: maxKeyFile}).Reason()}
	}
	k, reason := parseKeyFile(b)
	if reason != "" {
		return keyFile{}, &DamageError{Path: path, Reason: reason}
	}
	return k, nil
}

// parseKeyFile returns the key file, or the reason why b is not one.
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
	return keyFile{}, "not a master key file, or from a newer authsome"
}

// printable reports whether b is text: 32 characters that somebody typed are not
// a random key.
func printable(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || !unicode.IsPrint(rune(c)) && !unicode.IsSpace(rune(c)) {
			return false
		}
	}
	return true
}

// decodeKey accepts every common form of base64, with line ends after it.
func decodeKey(s string) ([]byte, error) {
	s = strings.TrimRight(s, "\r\n")
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		if raw, err := encoding.DecodeString(s); err == nil && len(raw) == keySize {
			return raw, nil
		}
	}
	return nil, errors.New("not 32 bytes in base64")
}

// unwrapped returns the key of a version 1 file.
func (k keyFile) unwrapped(path string) (*MasterKey, error) {
	raw, err := decodeKey(k.Key)
	if err != nil {
		return nil, &DamageError{Path: path, Reason: err.Error()}
	}
	return &MasterKey{key: secret.New(string(raw))}, nil
}

// createUnwrappedKeyFile writes a key to a version 1 file, which must not exist.
func createUnwrappedKeyFile(path string, m *MasterKey) error {
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
