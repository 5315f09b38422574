package vault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
)

// These tests check what the encryption guarantees against somebody who has the
// store: confidentiality, integrity, integrity of names, rotation and upgrade.

func TestConfidentiality(t *testing.T) {
	v, dir, _ := newVault(t)
	const value = "plaintext-7261c0ffee"
	put(t, v, "name-of-the-record", value)
	found := contents(t, filepath.Dir(dir))
	if len(found) < 5 {
		t.Fatalf("only %d files", len(found))
	}
	for path, b := range found {
		if bytes.Contains(b, []byte(value)) || bytes.Contains(b, []byte("name-of-the-record")) {
			t.Errorf("%s contains plain text of the record", path)
		}
	}
	for path := range found {
		if info, _ := os.Stat(filepath.Dir(path)); filepath.Dir(path) != filepath.Dir(dir) && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", filepath.Dir(path), info.Mode())
		}
	}
}

// rawUpdate reads and writes sealed records without decrypting them, as an attacker
// with the store's key could. It keeps the head record valid.
func rawUpdate(t *testing.T, v *Vault, fn func(storeTx) error) {
	t.Helper()
	err := v.store.update(context.Background(), func(seq uint64, tx storeTx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return (&Tx{v: v, t: tx}).putHead(seq + 1)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestModifiedEnvelopeIsRefused(t *testing.T) {
	v, _, _ := newVault(t)
	put(t, v, "k", "valu") // its base64 ends in bits that decoders ignore
	var sealed []byte
	rawUpdate(t, v, func(tx storeTx) (err error) { sealed, err = tx.get("k"); return err })
	for at := range sealed {
		for bit := range 8 {
			flipped := bytes.Clone(sealed)
			flipped[at] ^= 1 << bit
			if value, err := v.unseal("k", flipped); !isDamage(err) {
				t.Errorf("bit %d of byte %d was flipped: %q, %v", bit, at, value, err)
			}
		}
	}
	if value, err := v.unseal("k", sealed); string(value) != "valu" || err != nil {
		t.Errorf("unmodified: %q, %v", value, err)
	}
}

func TestMovedRecordIsRefused(t *testing.T) {
	v, _, _ := newVault(t)
	put(t, v, "mine", "one")
	put(t, v, "yours", "two")
	rawUpdate(t, v, func(tx storeTx) error {
		sealed, err := tx.get("yours")
		if err != nil {
			return err
		}
		return tx.set("mine", sealed)
	})
	var damage *DamageError
	if got, err := get(v, "mine"); !errors.As(err, &damage) || damage.Path != "record mine" {
		t.Errorf("a record moved to another key: %q, %v", got, err)
	}
	if got, err := get(v, "yours"); got != "two" || err != nil {
		t.Errorf("the other record: %q, %v", got, err)
	}
}

// A vault with a second data key writes under that one and reads both.
func TestTwoDataKeys(t *testing.T) {
	v, dir, key := newVault(t)
	put(t, v, "old", "one")
	f, err := readVaultFile(v.path("vault.json"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := key.wrap(v.ID(), bytes.Repeat([]byte{7}, keySize))
	if err != nil {
		t.Fatal(err)
	}
	f.Keys = append(f.Keys, second)
	if err := v.writeVaultFile(f); err != nil {
		t.Fatal(err)
	}
	rotated := mustOpen(t, dir, key)
	put(t, rotated, "new", "two")
	wantRecords(t, rotated, "new=two old=one")
	kids := make(map[string]string)
	rawUpdate(t, rotated, func(tx storeTx) error {
		return tx.list("", func(key string, sealed []byte) error {
			e, err := decodeEnvelope(sealed)
			kids[key] = e.KID
			return err
		})
	})
	if kids["old"] == second.KID || kids["new"] != second.KID || kids["head"] != second.KID {
		t.Errorf("sealed under %v; the second key is %s", kids, second.KID)
	}
	if g, err := readGeneration(v.path("generation")); err != nil || g.KID != second.KID {
		t.Errorf("the generation is under %s: %v", g.KID, err)
	}
}

// Files of a newer version are not reported as damage, and not read.
func TestNewerFormat(t *testing.T) {
	v, dir, key := newVault(t)
	f, err := readVaultFile(v.path("vault.json"))
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int]error{format + 1: ErrNewerFormat, format - 1: nil} {
		f.Format = version
		if err := v.writeVaultFile(f); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, key); want != nil && !errors.Is(err, want) || want == nil && !isDamage(err) {
			t.Errorf("format %d: %v", version, err)
		}
	}
	b := []byte(`{"format":2,"id":"x","keys":[{"kid":"k","wrapped":"","kdf":"new"}],"more":{}}`)
	if err := os.WriteFile(filepath.Join(dir, "vault.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, key); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("newer format with unknown members: %v", err)
	}
	if _, err := decodeEnvelope([]byte(`{"enc":2,"alg":"AES-256-GCM","kid":"","nonce":"","ciphertext":"","tag":""}`)); err == nil {
		t.Error("an envelope of a newer version was accepted")
	}
}

func FuzzEnvelope(f *testing.F) {
	s, err := newSealer(bytes.Repeat([]byte{7}, keySize), "id", "kid")
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := s.seal("key", []byte("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, "key")
	f.Add([]byte(`{"enc":1}`), "key")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		e, err := decodeEnvelope(b)
		if err != nil {
			return
		}
		if encoded, err := json.Marshal(e); err != nil || !bytes.Equal(encoded, b) {
			t.Errorf("%s was decoded and encoded to %s, %v", b, encoded, err)
		}
		// Only the sealed envelope opens, and only under its own key.
		value, err := s.open(key, e)
		if err == nil && (key != "key" || string(value) != "value") {
			t.Errorf("opened %q as %q", value, key)
		}
	})
}

func FuzzSealOpen(f *testing.F) {
	s, err := newSealer(bytes.Repeat([]byte{7}, keySize), "id", "kid")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("key", []byte("value"), uint16(3))
	f.Fuzz(func(t *testing.T, key string, value []byte, flip uint16) {
		sealed, err := s.seal(key, value)
		if err != nil {
			t.Fatal(err)
		}
		e, err := decodeEnvelope(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.open(key, e); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if _, err := s.open(key+"x", e); err == nil {
			t.Error("opened under another key")
		}
		all := [][]byte{e.Nonce, e.Ciphertext, e.Tag}
		part := all[int(flip)%3]
		if len(part) > 0 {
			part[int(flip/3)%len(part)] ^= 1
			if _, err := s.open(key, e); err == nil {
				t.Error("opened after a bit was flipped")
			}
		}
	})
}

func FuzzGeneration(f *testing.F) {
	g := generation{Seq: 7, KID: "0123456789abcdef", Files: []sealedFile{{"MANIFEST", 24, []byte{1, 2}}}}
	g.MAC = g.mac([]byte("key"))
	f.Add(g.encode())
	f.Add([]byte(`{"seq":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, ok := decodeGeneration(b)
		if ok && !bytes.Equal(g.encode(), b) {
			t.Errorf("%q was accepted as %q", b, g.encode())
		}
	})
}
