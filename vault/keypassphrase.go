package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"

	"golang.org/x/crypto/argon2"

	"github.com/authsome/authsome/secret"
)

// Errors about passphrases.
var (
	// ErrNoPassphrase means that a passphrase is needed and none was given.
	ErrNoPassphrase = errors.New("the master key is protected by a passphrase, and none was given")
	// ErrWrongPassphrase means that the passphrase is wrong. It matches [ErrWrongKey]
	// too.
	ErrWrongPassphrase error = wrongPassphrase{}
)

// ErrPassphraseExposed means that other users can read the file with a passphrase, or
// that another user owns it.
var ErrPassphraseExposed = errors.New("others can read the passphrase, or own its file")

type wrongPassphrase struct{}

func (wrongPassphrase) Error() string        { return "wrong passphrase" }
func (wrongPassphrase) Is(target error) bool { return target == ErrWrongKey }

// ReadPassphrase reads a passphrase from a file that other users cannot read, or
// from a pipe such as /dev/fd/3. It removes one line end after the passphrase.
func ReadPassphrase(path string) (secret.String, error) {
	f, err := regular.OpenNamed(path)
	if err != nil {
		return secret.String{}, err
	}
	defer f.Close()
	closeOnExec(path)
	info, err := f.Stat()
	if err != nil {
		return secret.String{}, err
	}
	if info.Mode().IsRegular() {
		if err := checkSecret(f, ErrPassphraseExposed); err != nil {
			return secret.String{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return secret.String{}, err
	}
	if len(b) > maxKeyFile {
		return secret.String{}, &regular.SizeError{Path: path, Limit: maxKeyFile}
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return secret.String{}, fmt.Errorf("%s is empty: %w", path, ErrNoPassphrase)
	}
	return secret.New(text), nil
}

// kdf is the function, with its parameters, that derives the key that wraps the
// master key from the passphrase.
type kdf struct {
	Name    string `json:"name"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
}

// The cost of new files: the second recommended option of RFC 9106, section 4. It
// takes 64 MiB and about 0.2 s.
const (
	kdfTime    = 3
	kdfMemory  = 64 << 10
	kdfThreads = 4
)

// The limits for a file, so that a planted file cannot use up the machine's
// memory or run for minutes: 1 GiB of memory, 4 GiB written in total.
const (
	maxKDFMemory = 1 << 20
	maxKDFWork   = 4 << 20
	maxSalt      = 1 << 10
)

func newKDF() kdf {
	d := kdf{Name: "argon2id", Time: kdfTime, Memory: kdfMemory, Threads: kdfThreads, Salt: make([]byte, 16)}
	rand.Read(d.Salt)
	return d
}

// check returns the reason why the parameters are refused, or "".
func (d kdf) check() (reason string) {
	switch {
	case d.Name != "argon2id":
		return "its key derivation function is not supported"
	case d.Time < 1 || d.Threads < 1 || d.Memory < 8*uint32(d.Threads) || len(d.Salt) < 8 || len(d.Salt) > maxSalt:
		return "its key derivation parameters are invalid"
	case d.Memory > maxKDFMemory || uint64(d.Time)*uint64(d.Memory) > maxKDFWork:
		return "its key derivation parameters ask for too much memory or time"
	}
	return ""
}

func (k keyFile) checkPassphrase() (reason string) {
	if k.KDF == nil || len(k.Wrapped) != nonceSize+keySize+tagSize || k.Key != "" {
		return "not a master key file"
	}
	return k.KDF.check()
}

// id identifies the function, its parameters and the salt.
func (d kdf) id() string {
	return fmt.Sprintf("%s %d %d %d %x", d.Name, d.Time, d.Memory, d.Threads, d.Salt)
}

// derive returns the wrapping key. The caller has checked the parameters.
func (d kdf) derive(passphrase secret.String) secret.String {
	key := argon2.IDKey([]byte(passphrase.Reveal()), d.Salt, d.Time, d.Memory, d.Threads, keySize)
	debug.FreeOSMemory() // otherwise a proxy would keep the 64 MiB for minutes
	return secret.New(string(key))
}

func wrapMaster(m *MasterKey, d kdf, kek secret.String) (keyFile, error) {
	aead, err := newAEAD([]byte(kek.Reveal()))
	if err != nil {
		return keyFile{}, err
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return keyFile{
		Version: 2, Algorithm: algorithm, KDF: &d, CreatedAt: time.Now().UTC().Format(time.RFC3339),
		Wrapped: aead.Seal(nonce, nonce, []byte(m.key.Reveal()), associated("passphrase", d.id())),
	}, nil
}

func (k keyFile) unwrapMaster(kek secret.String) (*MasterKey, error) {
	aead, err := newAEAD([]byte(kek.Reveal()))
	if err != nil {
		return nil, err
	}
	raw, err := aead.Open(nil, k.Wrapped[:nonceSize], k.Wrapped[nonceSize:], associated("passphrase", k.KDF.id()))
	if err != nil {
		return nil, ErrWrongPassphrase
	}
	return &MasterKey{key: secret.New(string(raw))}, nil
}
