package vault

import (
	"github.com/authsome/authsome/secret"
)

// passphrases are the passphrases given during one read of the keys.
type passphrases struct {
	ask    func(Ask) (secret.String, error)
	reload bool // see [Ask]
	next   bool // see [Ask]
	given  []secret.String
}

// unlock unwraps a key that has a passphrase: with a wrapping key that was derived
// before, with a passphrase that was already given, or with one that it asks for.
func (k *Keeper) unlock(f keyFile, p *passphrases) (*MasterKey, error) {
	if kek, ok := k.kek[f.KDF.id()]; ok {
		return f.unwrapMaster(kek)
	}
	for _, passphrase := range p.given {
		if m, err := k.derive(f, passphrase); err == nil {
			return m, nil
		}
	}
	if p.ask == nil {
		return nil, ErrNoPassphrase
	}
	for try := 0; ; try++ {
		passphrase, err := p.ask(Ask{Try: try, Reload: p.reload, Next: p.next})
		switch {
		case err != nil && try > 0:
			return nil, ErrWrongPassphrase
		case err != nil:
			return nil, err
		}
		m, err := k.derive(f, passphrase)
		if err == nil {
			p.given = append(p.given, passphrase)
			return m, nil
		}
	}
}

func (k *Keeper) derive(f keyFile, passphrase secret.String) (*MasterKey, error) {
	kek := f.KDF.derive(passphrase)
	m, err := f.unwrapMaster(kek)
	if err == nil {
		k.remember(*f.KDF, kek)
	}
	return m, err
}

// remember keeps the wrapping key, not the passphrase. With it a running process
// can read the key after a rotation.
func (k *Keeper) remember(d kdf, kek secret.String) {
	if k.kek == nil {
		k.kek = make(map[string]secret.String)
	}
	k.kek[d.id()] = kek
}

// newPassphrase asks for the first passphrase of a home.
func (k *Keeper) newPassphrase() (kdf, error) {
	if k.Passphrase == nil {
		return kdf{}, ErrNoPassphrase
	}
	passphrase, err := k.Passphrase(Ask{Reload: k.loaded, New: true})
	if err != nil {
		return kdf{}, err
	}
	return k.usePassphrase(passphrase), nil
}

// usePassphrase derives a wrapping key with a new salt and remembers it.
func (k *Keeper) usePassphrase(passphrase secret.String) kdf {
	d := newKDF()
	if k.cheapKDF {
		d.Time, d.Memory, d.Threads = 1, 64, 1
	}
	k.remember(d, d.derive(passphrase))
	return d
}

// nextKDF returns how the next key is wrapped: under a new passphrase, or under
// the current one with the same salt, so that running processes can unwrap the new
// key with the wrapping key that they remember.
func (k *Keeper) nextKDF(p Places, passphrase secret.String) (*kdf, error) {
	if !passphrase.IsZero() {
		d := k.usePassphrase(passphrase)
		return &d, nil
	}
	if p.Mode == ModePassphrase {
		f, err := readKeyFile(p.currentFile(k.Home), checkPrivate)
		if err != nil {
			return nil, err
		}
		if f.KDF != nil {
			return f.KDF, nil
		}
	}
	return nil, ErrNoPassphrase
}
