package ca

import "crypto/sha256"

// keyID is a subject key identifier by RFC 7093 section 2, method 4: the first
// 160 bits of SHA-256 over the public key.
func keyID(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:20]
}
