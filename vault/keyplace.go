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
	ModePassphrase = "passphrase" // master.key, wrapped under a passphrase
	ModeFile       = "file"       // a file elsewhere, as a container's runtime provides it
)

// Place is where one master key is kept.
type Place struct {
	Mode    string
	Account string // of ModeKeyring: the entry's name; "" is the one of the Python authsome
	File    string // of ModeFile: its absolute path
}

// Places is what a home knows of its master key: the place, and while the key is
// being changed a second one.
//
// A change notes Next, stores the new key there, wraps each vault's data key
// under it, then makes it the Place and the old one Previous, and removes that.
// Killed anywhere, whatever is noted says how to go on, and both keys are tried
// until nothing is.
type Places struct {
	Place
	Next     *Place
	Reseal   bool // with Next: the data keys are replaced too
	Previous *Place
	Changed  time.Time // the last change's end; zero if there was none
}

func (p Places) changing() bool { return p.Next != nil || p.Previous != nil }

func (p Place) account() string {
	if p.Account == "" {
		return keyringAccount
	}
	return p.Account
}

// base is the file that the place is, or "".
func (p Place) base(home string) string {
	switch p.Mode {
	case ModeLocalKey, ModePassphrase:
		return filepath.Join(home, "master.key")
	case ModeFile:
		return p.File
	}
	return ""
}

// pending is where a new key waits to become the place's file, or "".
func (p Place) pending(home string) string {
	switch p.Mode {
	case ModeLocalKey, ModePassphrase:
		return filepath.Join(home, "master.key.next")
	case ModeFile:
		return p.File + ".authsome-next"
	}
	return ""
}

// Where tells people what the place is.
func (p Place) Where(home string) string {
	if p.Mode == ModeKeyring {
		return strings.Join([]string{"keyring entry", keyringService, p.account()}, " ")
	}
	return p.base(home)
}

// currentFile is the file of the present key. Between the end of a change and
// its cleaning up it may still have its pending name.
func (p Places) currentFile(home string) string {
	if pending := p.pending(home); p.Previous != nil && pending != "" && !missing(pending) {
		return pending
	}
	return p.base(home)
}

// nextFile is the file of the next key: under the pending name, unless the file
// was somebody else's and had a key in it already.
func (p Places) nextFile(home string) string {
	if base := p.Next.base(home); base != p.base(home) && p.Next.Mode == ModeFile && missing(p.Next.pending(home)) {
		return base
	}
	return p.Next.pending(home)
}

// previousFile is the file of the previous key, or "" where the new one has
// taken its place.
func (p Places) previousFile(home string) string {
	base := p.Previous.base(home)
	if base == p.base(home) && missing(p.pending(home)) {
		return ""
	}
	return base
}

// ReadKey reads the master key in a place of the home. It never creates a key and
// never asks for a passphrase: a key under a passphrase is [ErrNoPassphrase], and
// a key that does not exist is [os.ErrNotExist]. A vault opened with the key reads
// the place again when a rotation has replaced the key.
func ReadKey(home string, p Place) (*MasterKey, error) {
	m, err := (&Keeper{Home: home}).readPlace(p, p.base(home), &passphrases{})
	if err != nil {
		return nil, err
	}
	m.again = func() (*MasterKey, error) { return ReadKey(home, p) }
	return m, nil
}
