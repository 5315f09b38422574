package vault

import (
	"path/filepath"
	"strings"
	"time"
)

// Modes: where a master key is kept.
const (
	ModeLocalKey   = "local_key"  // the file master.key in the home
	ModeKeyring    = "keyring"    // the system's keyring
	ModePassphrase = "passphrase" // master.key, encrypted with a passphrase
	ModeFile       = "file"       // a file elsewhere, as a container runtime provides it
)

// Place is where one master key is kept.
type Place struct {
	Mode    string
	Account string // for ModeKeyring: the name of the entry; "" is the Python authsome's
	File    string // for ModeFile: its absolute path
}

// Places is what a home records about its master key: the place, and during a
// change a second place.
//
// A change saves Next, stores the new key there and wraps each vault's data key
// under it. Then it saves the new place as Place and the old one as Previous, and
// deletes the old key. If the process is killed at any moment, the saved value
// says how to continue, and both keys are tried until the change is complete.
type Places struct {
	Place
	Next     *Place
	Reseal   bool // with Next: the change replaces the data keys too
	Previous *Place
	Changed  time.Time // when the last change ended; zero if there was none
}

func (p Places) changing() bool { return p.Next != nil || p.Previous != nil }

func (p Place) account() string {
	if p.Account == "" {
		return keyringAccount
	}
	return p.Account
}

// base returns the path of the key file, or "" if the key is not in a file.
func (p Place) base(home string) string {
	switch p.Mode {
	case ModeLocalKey, ModePassphrase:
		return filepath.Join(home, "master.key")
	case ModeFile:
		return p.File
	}
	return ""
}

// pending returns the path that a new key has until it replaces the key file, or
// "" if the key is not in a file.
func (p Place) pending(home string) string {
	switch p.Mode {
	case ModeLocalKey, ModePassphrase:
		return filepath.Join(home, "master.key.next")
	case ModeFile:
		return p.File + ".authsome-next"
	}
	return ""
}

// Where describes the place for people.
func (p Place) Where(home string) string {
	if p.Mode == ModeKeyring {
		return strings.Join([]string{"keyring entry", keyringService, p.account()}, " ")
	}
	return p.base(home)
}

// currentFile returns the file of the current key. It can still have its pending
// name if a change was interrupted before its last steps.
func (p Places) currentFile(home string) string {
	if pending := p.pending(home); p.Previous != nil && pending != "" && !missing(pending) {
		return pending
	}
	return p.base(home)
}

// nextFile returns the file of the next key. It has the pending name, except for a
// file that the user provided with a key in it.
func (p Places) nextFile(home string) string {
	if base := p.Next.base(home); base != p.base(home) && p.Next.Mode == ModeFile && missing(p.Next.pending(home)) {
		return base
	}
	return p.Next.pending(home)
}

// previousFile returns the file of the previous key, or "" if the new key has
// already replaced it.
func (p Places) previousFile(home string) string {
	base := p.Previous.base(home)
	if base == p.base(home) && missing(p.pending(home)) {
		return ""
	}
	return base
}

// ReadKey reads the master key at a place of the home. It never creates a key and
// never asks for a passphrase: for a key with a passphrase the error is
// [ErrNoPassphrase], and for a key that does not exist [os.ErrNotExist]. A vault
// that is opened with the key reads the place again after a rotation.
func ReadKey(home string, p Place) (*MasterKey, error) {
	m, err := (&Keeper{Home: home}).readPlace(p, p.base(home), &passphrases{})
	if err != nil {
		return nil, err
	}
	m.reload = func() (*MasterKey, error) { return ReadKey(home, p) }
	return m, nil
}
