package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// format is the version of the vault's files and of every sealed thing in it. It
// is part of what is authenticated.
const format = 1

const algorithm = "AES-256-GCM"

// envelope is a sealed record as it is stored: JSON, so that other programs can
// take a vault's records along.
type envelope struct {
	Enc        int    `json:"enc"`
	Alg        string `json:"alg"`
	KID        string `json:"kid"`
	Nonce      []byte `json:"nonce"`
	Ciphertext []byte `json:"ciphertext"`
	Tag        []byte `json:"tag"`
}

const (
	nonceSize = 12
	tagSize   = 16
)

// decodeEnvelope checks the form; only [sealer.open] says that it is genuine.
func decodeEnvelope(b []byte) (envelope, error) {
	var e envelope
	if err := json.Unmarshal(b, &e, json.RejectUnknownMembers(true)); err != nil {
		return envelope{}, errors.New("not an envelope")
	}
	switch {
	case e.Enc != format:
		return envelope{}, fmt.Errorf("envelope of version %d", e.Enc)
	case e.Alg != algorithm:
		return envelope{}, errors.New("envelope of another algorithm")
	case len(e.Nonce) != nonceSize || len(e.Tag) != tagSize:
		return envelope{}, errors.New("envelope cut short")
	}
	// An envelope has one form: base64 has bits that no decoder looks at.
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, b) {
		return envelope{}, errors.New("not an envelope as it is written")
	}
	return e, nil
}

// sealer seals and opens under one data key.
type sealer struct {
	aead    cipher.AEAD
	data    []byte // the data key
	id, kid string
}

func newSealer(key []byte, id, kid string) (*sealer, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead, data: key, id: id, kid: kid}, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	return aead, nil
}

// seal binds value to the vault, the format, the data key and the record's key.
func (s *sealer) seal(key string, value []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	sealed := s.aead.Seal(nil, nonce, value, associated("record", s.id, s.kid, key))
	split := len(sealed) - tagSize
	b, err := json.Marshal(envelope{Enc: format, Alg: algorithm, KID: s.kid, Nonce: nonce, Ciphertext: sealed[:split], Tag: sealed[split:]})
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return b, nil
}

func (s *sealer) open(key string, e envelope) ([]byte, error) {
	sealed := append(append(make([]byte, 0, len(e.Ciphertext)+tagSize), e.Ciphertext...), e.Tag...)
	return s.aead.Open(nil, e.Nonce, sealed, associated("record", s.id, e.KID, key))
}

// associated is the associated data of everything sealed: a purpose, the format,
// and the names it is bound to, each with its length before it, so that no two
// lists of names give the same bytes.
func associated(purpose string, names ...string) []byte {
	b := fmt.Appendf(nil, "authsome vault %d %s", format, purpose)
	for _, n := range names {
		b = binary.BigEndian.AppendUint32(b, uint32(len(n)))
		b = append(b, n...)
	}
	return b
}
