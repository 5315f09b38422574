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
	seq, _, err := v.generation()
	if _, damaged := errors.AsType[*DamageError](err); !damaged {
		return seq, err
	}
	// It may be under a data key that the vault got since.
	if _, err := v.follow(); err != nil {
		return 0, err
	}
	seq, _, err = v.generation()
	return seq, err
}

// generation also says which data key it is sealed under.
func (v *Vault) generation() (seq uint64, kid string, err error) {
	path := v.path("generation")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", &DamageError{Path: path, Reason: "missing, though the vault was in use", Err: err}
	}
	if err != nil {
		return 0, "", fmt.Errorf("vault: %w", err)
	}
	number, mac, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), " ")
	seq, err = strconv.ParseUint(number, 10, 64)
	given, errMAC := hex.DecodeString(mac)
	if err == nil && errMAC == nil {
		for kid, data := range v.keys.Load().data {
			if hmac.Equal(given, v.generationMAC(data, seq)) {
				return seq, kid, nil
			}
		}
	}
	return 0, "", &DamageError{Path: path, Reason: "it was changed, or belongs to another vault"}
}

func (v *Vault) writeGeneration(seq uint64) error {
	k := v.keys.Load()
	line := fmt.Appendf(nil, "%d %x\n", seq, v.generationMAC(k.data[k.kid], seq))
	if err := replaceFile(v.path("generation"), line); err != nil {
		return fmt.Errorf("vault: move the generation: %w", err)
	}
	return nil
}

func (v *Vault) generationMAC(data []byte, seq uint64) []byte {
	h := hmac.New(sha256.New, derive(data, v.id, "generation"))
	fmt.Fprintf(h, "%s %d", v.id, seq)
	return h.Sum(nil)
}
