package vault

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/authsome/authsome/secret"
)

// The Python authsome kept its key in this entry. It is used if the configuration
// names no other account.
const (
	keyringService = "authsome"
	keyringAccount = "master_key"
)

// keyringWait limits a call to the system's keyring. The keyring may ask the user
// to unlock it, and on a machine without a screen nobody answers.
const keyringWait = time.Minute

// ErrKeyring means that this session has no keyring, or that the keyring does not
// answer.
var ErrKeyring = errors.New("the system's keyring cannot be used")

// withKeyring calls the keyring and waits for it for keyringWait. After that the
// call's goroutine is abandoned: the libraries cannot cancel a call.
func withKeyring(what string, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	timer := time.NewTimer(keyringWait)
	defer timer.Stop()
	select {
	case err := <-done:
		switch {
		case errors.Is(err, keyring.ErrNotFound):
			return fmt.Errorf("%s: %w", what, fs.ErrNotExist)
		case err != nil:
			return fmt.Errorf("%s: %w: %w", what, ErrKeyring, err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%s: %w: no answer in %s", what, ErrKeyring, keyringWait)
	}
}

func keyringKey(account string) (*MasterKey, error) {
	var text string
	err := withKeyring("read the master key", func() (err error) {
		text, err = keyring.Get(keyringService, account)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := decodeKey(text)
	if err != nil {
		return nil, &DamageError{Path: "keyring entry " + keyringService + "/" + account, Reason: err.Error()}
	}
	return &MasterKey{key: secret.New(string(raw))}, nil
}

func keyringStore(account string, m *MasterKey) error {
	return withKeyring("store the master key", func() error {
		return keyring.Set(keyringService, account, base64.StdEncoding.EncodeToString([]byte(m.key.Reveal())))
	})
}

// keyringDelete deletes an entry. It succeeds if the entry does not exist.
func keyringDelete(account string) error {
	err := withKeyring("delete the old master key", func() error { return keyring.Delete(keyringService, account) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
