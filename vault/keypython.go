package vault

import (
	"encoding/base64"
	"errors"
	"strings"
)

// OpenPython decrypts a value of the Python authsome's vault. Its form is
// base64(nonce) "." base64(ciphertext, tag). The master key sealed it without
// associated data.
func (m *MasterKey) OpenPython(sealed string) ([]byte, error) {
	first, second, found := strings.Cut(sealed, ".")
	nonce, err := base64.StdEncoding.DecodeString(first)
	ciphertext, err2 := base64.StdEncoding.DecodeString(second)
	if !found || err != nil || err2 != nil || len(nonce) != nonceSize || len(ciphertext) < tagSize {
		return nil, errors.New("not a sealed value")
	}
	aead, err := newAEAD([]byte(m.key.Reveal()))
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonce, ciphertext, nil)
	if err != nil {
		return nil, ErrWrongKey
	}
	return plain, nil
}
