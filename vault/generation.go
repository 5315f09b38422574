package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Generation is the number of the last Update, as the small file beside the
// store has it. It takes no lock: processes poll it to learn of changes.
func (v *Vault) Generation() (uint64, error) {
	path := v.path("generation")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, &DamageError{Path: path, Reason: "missing, though the vault was in use", Err: err}
	}
	if err != nil {
		return 0, fmt.Errorf("vault: %w", err)
	}
	number, mac, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), " ")
	seq, err := strconv.ParseUint(number, 10, 64)
	given, errMAC := hex.DecodeString(mac)
	if err != nil || errMAC != nil || !hmac.Equal(given, v.generationMAC(seq)) {
		return 0, &DamageError{Path: path, Reason: "it was changed, or belongs to another vault"}
	}
	return seq, nil
}

func (v *Vault) writeGeneration(seq uint64) error {
	line := fmt.Appendf(nil, "%d %x\n", seq, v.generationMAC(seq))
	if err := replaceFile(v.path("generation"), line); err != nil {
		return fmt.Errorf("vault: move the generation: %w", err)
	}
	return nil
}

func (v *Vault) generationMAC(seq uint64) []byte {
	h := hmac.New(sha256.New, v.DeriveKey("generation"))
	fmt.Fprintf(h, "%s %d", v.id, seq)
	return h.Sum(nil)
}
