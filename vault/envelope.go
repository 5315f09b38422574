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

// format is the version of the vault's files and of everything sealed in it. It
// is part of the associated data.
const format = 1

const algorithm = "AES-256-GCM"

// envelope is a sealed record as it is stored. It is JSON so that other stores can
// keep the records of a vault.
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

// decodeEnvelope parses an envelope and checks its form. Only [sealer.open]
// authenticates it.
func decodeEnvelope(b []byte) (envelope, error) {
	var e envelope
	if err := json.Unmarshal(b, &e, json.RejectUnknownMembers(true)); err != nil {
		return envelope{}, errors.New("invalid envelope")
	}
	switch {
	case e.Enc != format:
		return envelope{}, fmt.Errorf("unsupported envelope version %d", e.Enc)
	case e.Alg != algorithm:
		return envelope{}, errors.New("unsupported encryption algorithm")
	case len(e.Nonce) != nonceSize || len(e.Tag) != tagSize:
		return envelope{}, errors.New("truncated envelope")
	}
	// Only the exact encoding is valid: decoders ignore the last bits of base64, so
	// a modified envelope could decode to the same values.
	if encoded, err := json.Marshal(e); err != nil || !bytes.Equal(encoded, b) {
		return envelope{}, errors.New("not the canonical encoding of an envelope")
	}
	return e, nil
}

// sealer seals and opens records under one data key.
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

// seal encrypts value and binds it to the vault, the format, the data key and the
// record's key.
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

// associated returns the associated data for sealing: the format, a purpose, and
// the names that the ciphertext is bound to. The length of each name precedes it,
// so that different lists of names never give the same bytes.
func associated(purpose string, names ...string) []byte {
	b := fmt.Appendf(nil, "authsome vault %d %s", format, purpose)
	for _, n := range names {
		b = binary.BigEndian.AppendUint32(b, uint32(len(n)))
		b = append(b, n...)
	}
	return b
}
