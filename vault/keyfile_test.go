package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/authsome/authsome/secret"
)

const (
	rawKey     = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
	encodedKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// kdfFile returns a master key file with a passphrase and these parameters.
func kdfFile(parameters string) string {
	return `{"version":2,"algorithm":"AES-256-GCM","kdf":` + parameters + `,"wrapped":"` + strings.Repeat("AAAA", 20) + `"}`
}

func TestKeyFileForms(t *testing.T) {
	for name, text := range map[string]string{
		"32 bytes":                  rawKey,
		"base64":                    encodedKey,
		"base64 with a line end":    encodedKey + "\n",
		"base64 without padding":    encodedKey[:len(encodedKey)-1],
		"JSON":                      `{"version":1,"key":"` + encodedKey + `","algorithm":"AES-256-GCM"}`,
		"JSON with unknown members": `{"version":1,"key":"` + encodedKey + `","algorithm":"AES-256-GCM","note":"n","created_at":"x"}`,
	} {
		f, reason := parseKeyFile([]byte(text))
		if m, err := f.unwrapped(""); reason != "" || err != nil || m.key.Reveal() != rawKey {
			t.Errorf("%s: %s, %v", name, reason, err)
		}
	}
	for name, text := range map[string]string{
		"empty":                           "",
		"31 bytes":                        rawKey[1:],
		"33 bytes":                        rawKey + "\n",
		"32 printable characters":         "this is not a key, and no secret",
		"base64 of 31 bytes":              "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
		"unknown algorithm":               `{"version":1,"key":"` + encodedKey + `","algorithm":"ROT13"}`,
		"newer version":                   `{"version":3,"key":"` + encodedKey + `"}`,
		"version 2 without a wrapped key": `{"version":2,"algorithm":"AES-256-GCM"}`,
		"64 GiB of memory":                kdfFile(`{"name":"argon2id","time":1,"memory_kib":67108864,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"an hour of work":                 kdfFile(`{"name":"argon2id","time":1000000,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"threads over 8 bits":             kdfFile(`{"name":"argon2id","time":3,"memory_kib":65536,"threads":400,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"time over 32 bits":               kdfFile(`{"name":"argon2id","time":4294967297,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"negative time":                   kdfFile(`{"name":"argon2id","time":-1,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"no time":                         kdfFile(`{"name":"argon2id","time":0,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"no threads":                      kdfFile(`{"name":"argon2id","time":3,"memory_kib":65536,"threads":0,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"no memory":                       kdfFile(`{"name":"argon2id","time":3,"memory_kib":1,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"no salt":                         kdfFile(`{"name":"argon2id","time":3,"memory_kib":65536,"threads":4}`),
		"unknown function":                kdfFile(`{"name":"md5","time":3,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`),
		"both a key and a wrapped key":    strings.Replace(kdfFile(`{"name":"argon2id","time":3,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`), `"kdf"`, `"key":"`+encodedKey+`","kdf"`, 1),
	} {
		if _, reason := parseKeyFile([]byte(text)); reason == "" {
			t.Errorf("%s: accepted", name)
		}
	}
	// The control: the same file with the usual parameters is accepted.
	if _, reason := parseKeyFile([]byte(kdfFile(`{"name":"argon2id","time":3,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`))); reason != "" {
		t.Errorf("usual parameters: %s", reason)
	}
}

// Every file gives a key or a reason, and an accepted file is within the limits.
func FuzzKeyFile(f *testing.F) {
	f.Add([]byte(rawKey))
	f.Add([]byte(`{"version":1,"key":"` + encodedKey + `"}`))
	f.Add([]byte(kdfFile(`{"name":"argon2id","time":3,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, reason := parseKeyFile(b)
		switch {
		case reason != "":
		case k.KDF == nil:
			if _, err := k.unwrapped(""); err != nil {
				t.Errorf("accepted without a key: %v", err)
			}
		case uint64(k.KDF.Memory)*uint64(k.KDF.Time) > maxKDFWork || k.KDF.Memory > maxKDFMemory || k.KDF.Time == 0 || k.KDF.Threads == 0:
			t.Errorf("accepted: %+v", k.KDF)
		}
	})
}

// A passphrase unwraps the key that it wrapped. With another passphrase or other
// parameters the error is ErrWrongKey.
func TestPassphrase(t *testing.T) {
	m := newMasterKey()
	d := newKDF()
	f, err := wrapMaster(m, d, d.derive(secret.New("correct horse")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(f)
	if err != nil || strings.Contains(string(b), encodedKeyOf(m)) {
		t.Fatalf("%s, %v", b, err)
	}
	if got, err := f.unwrapMaster(f.KDF.derive(secret.New("correct horse"))); err != nil || !got.key.Equal(m.key) {
		t.Errorf("right passphrase: %v", err)
	}
	if _, err := f.unwrapMaster(f.KDF.derive(secret.New("wrong horse"))); !errors.Is(err, ErrWrongPassphrase) || !errors.Is(err, ErrWrongKey) {
		t.Errorf("wrong passphrase: %v", err)
	}
	weaker := f
	weaker.KDF = &kdf{Name: d.Name, Time: 1, Memory: 64, Threads: 1, Salt: d.Salt}
	if _, err := weaker.unwrapMaster(d.derive(secret.New("correct horse"))); !errors.Is(err, ErrWrongKey) {
		t.Errorf("modified parameters: %v", err)
	}
}

func TestPassphraseIsAskedAgain(t *testing.T) {
	h := prepare(t, Place{Mode: ModePassphrase})
	k := h.keeper()
	var tries []int
	k.Passphrase = func(a Ask) (secret.String, error) {
		tries = append(tries, a.Try)
		if a.Try < 2 {
			return secret.New("wrong"), nil
		}
		return secret.New(h.passphrase), nil
	}
	if _, err := k.Load(); err != nil || fmt.Sprint(tries) != "[0 1 2]" {
		t.Errorf("tries %v, %v", tries, err)
	}
	if _, err := k.Load(); err != nil || len(tries) != 3 {
		t.Errorf("asked again for a known passphrase: %v, %v", tries, err)
	}
	k = h.keeper()
	h.passphrase = "wrong"
	if _, err := k.Load(); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("only wrong passphrases: %v", err)
	}
	k.Passphrase = nil
	if _, err := k.Load(); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("no Passphrase function: %v", err)
	}
}

// A key that all users can read is accepted only where just a container runtime puts
// files.
func TestContainerSecretFiles(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root on Linux can create these files")
	}
	memory, err := os.MkdirTemp("/dev/shm", "authsome-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(memory)
	disk := t.TempDir()
	const other = 12345
	for _, c := range []struct {
		dir   string
		mode  os.FileMode
		owner int
		want  bool
	}{
		{memory, 0o444, 0, true},
		{memory, 0o440, 0, true},
		{memory, 0o400, 0, true},
		{memory, 0o666, 0, false},
		{memory, 0o460, 0, false},
		{memory, 0o444, other, false},
		{disk, 0o400, 0, true},
		{disk, 0o444, 0, false},
		{disk, 0o440, 0, false},
		{disk, 0o400, other, false},
	} {
		path := filepath.Join(c.dir, "key")
		os.Remove(path)
		if err := os.WriteFile(path, []byte(encodedKey), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Chown(path, c.owner, c.owner)
		os.Chmod(path, c.mode)
		_, err := readKeyFile(path, checkSecret)
		if (err == nil) != c.want || err != nil && !errors.Is(err, ErrKeyExposed) {
			t.Errorf("%s, mode %04o, owner %d: %v", c.dir, c.mode, c.owner, err)
		}
	}
	for path, want := range map[string]bool{"/run/secrets/key": true, "/var/run/secrets/a/b": true, "/run/secrets/../key": false, "/run/secretsx/key": false, "run/secrets/key": false} {
		if inSecretsDirectory(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// Of several keepers that load at the same time, one creates the key. If the home
// has vaults, none does.
func TestFirstKeyIsCreatedOnce(t *testing.T) {
	for _, mode := range []string{ModeLocalKey, ModeKeyring, ModePassphrase} {
		t.Run(mode, func(t *testing.T) {
			keyring.MockInit()
			h := &testHome{dir: t.TempDir(), passphrase: "correct horse"}
			if err := h.keeper().Save(Places{Place: Place{Mode: mode}}); err != nil {
				t.Fatal(err)
			}
			if mode == ModeKeyring { // the mock does not support concurrent use
				if _, err := h.keeper().Load(); err != nil {
					t.Fatal(err)
				}
			}
			keys := make([]*MasterKey, 8)
			var all sync.WaitGroup
			for i := range keys {
				all.Go(func() {
					var err error
					k := h.keeper()
					k.Passphrase = func(Ask) (secret.String, error) { return secret.New("correct horse"), nil }
					if keys[i], err = k.Load(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if t.Failed() {
				return
			}
			for _, m := range keys {
				if !m.key.Equal(keys[0].key) {
					t.Error("two keys were created")
				}
			}
		})
	}
	h := newTestHome(t)
	if err := os.Remove(filepath.Join(h.dir, "master.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.keeper().Load(); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("the key of existing vaults is missing: %v", err)
	}
	if !missing(filepath.Join(h.dir, "master.key")) {
		t.Error("another key was created")
	}
}

func TestPythonKeyringEntry(t *testing.T) {
	keyring.MockInit()
	if err := keyring.Set("authsome", "master_key", encodedKey); err != nil {
		t.Fatal(err)
	}
	m, err := ReadKey(t.TempDir(), Place{Mode: ModeKeyring})
	if err != nil || m.key.Reveal() != rawKey {
		t.Errorf("%v", err)
	}
}

// A change to a keyring that fails is undone.
func TestFailingKeyring(t *testing.T) {
	keyring.MockInitWithError(errors.New("locked"))
	if _, err := ReadKey(t.TempDir(), Place{Mode: ModeKeyring}); !errors.Is(err, ErrKeyring) {
		t.Errorf("reading: %v", err)
	}
	h := &testHome{dir: t.TempDir()}
	if _, err := h.keeper().Load(); err != nil {
		t.Fatal(err)
	}
	if err := h.keeper().Change(context.Background(), Change{To: Place{Mode: ModeKeyring}}); !errors.Is(err, ErrKeyring) {
		t.Errorf("changing: %v", err)
	}
	if p, err := h.keeper().Places(); p.changing() || err != nil || p.Mode != ModeLocalKey {
		t.Errorf("after the failed change: %+v, %v", p, err)
	}
	if _, err := h.keeper().Load(); err != nil {
		t.Error(err)
	}
}

func TestUnknownMode(t *testing.T) {
	if _, err := ReadKey(t.TempDir(), Place{Mode: "unknown"}); !errors.Is(err, ErrUnknownMode) {
		t.Error(err)
	}
}

// Vaults that are created while the key is changed can be opened afterwards.
func TestNewVaultsDuringChanges(t *testing.T) {
	h := newTestHome(t)
	done := make(chan error)
	const n = 12
	for i := range 2 {
		go func() {
			var err error
			for j := 0; err == nil && j < n; j++ {
				_, err = h.tryOpen(fmt.Sprintf("new-%d-%d", i, j))
			}
			done <- err
		}()
	}
	for range 8 {
		if err := h.keeper().Change(context.Background(), Change{To: Place{Mode: ModeLocalKey}}); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for i := range 2 {
		for j := range n {
			if _, err := h.tryOpen(fmt.Sprintf("new-%d-%d", i, j)); err != nil {
				t.Errorf("new-%d-%d: %v", i, j, err)
			}
		}
	}
}

// A value of the Python authsome's vault opens with its key, and only unmodified.
func TestOpenPython(t *testing.T) {
	m := &MasterKey{key: secret.New(rawKey)}
	aead, err := newAEAD([]byte(rawKey))
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, nonceSize)
	encode := func(b []byte) string {
		s, _ := json.Marshal(b)
		return strings.Trim(string(s), `"`)
	}
	sealed := encode(nonce) + "." + encode(aead.Seal(nil, nonce, []byte("text"), nil))
	if got, err := m.OpenPython(sealed); string(got) != "text" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := newMasterKey().OpenPython(sealed); !errors.Is(err, ErrWrongKey) {
		t.Errorf("wrong key: %v", err)
	}
	for _, wrong := range []string{"", ".", sealed[1:], strings.Replace(sealed, ".", "", 1), sealed[:len(sealed)-8], "AAAA." + sealed} {
		if got, err := m.OpenPython(wrong); err == nil {
			t.Errorf("%q opened as %q", wrong, got)
		}
	}
}
