package opener

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/vault"
)

// KeyFileVariable names a file with the master key, and overrides config.json.
const KeyFileVariable = "AUTHSOME_MASTER_KEY_FILE"

// Keeper keeps the master key.
func (n *Opener) Keeper() (*vault.Keeper, error) { return n.keeper() }

// newKeeper connects the keeper of the master key with the home, whose config.json
// says where the key is.
func (n *Opener) newKeeper() (*vault.Keeper, error) {
	h, err := n.Home()
	if err != nil {
		return nil, err
	}
	places := &keyPlaces{home: h, getenv: n.o.Getenv}
	return &vault.Keeper{
		Home:       h.Dir,
		Places:     places.load,
		Save:       places.save,
		Vaults:     func() ([]string, error) { return vaultDirs(h) },
		Passphrase: n.o.Passphrase,
	}, nil
}

func vaultDirs(h *home.Home) ([]string, error) {
	names, err := h.Profiles()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, name := range names {
		p, err := h.Profile(name)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, p.Dir)
	}
	return dirs, nil
}

// MasterKey is the key of the vaults. It first finishes a change of the key that was
// interrupted; if that fails, the vaults may be usable anyway.
func (n *Opener) MasterKey() (*vault.MasterKey, error) {
	k, err := n.Keeper()
	if err != nil {
		return nil, err
	}
	ctx, cancel := Bounded(context.Background())
	defer cancel()
	moved, err := k.Resume(ctx)
	if err != nil {
		n.o.Warnf("an interrupted change of the master key could not be finished: %v", err)
	}
	if moved {
		p, err := k.Places()
		if err != nil {
			return nil, err
		}
		n.WarnKeyFile(p.Place)
	}
	return k.Load()
}

// WarnKeyFile warns if the variable names another place than the one to which a change
// of the master key has just moved it: the next command would look for the key there.
func (n *Opener) WarnKeyFile(now vault.Place) {
	file := n.o.Getenv(KeyFileVariable)
	if file == "" {
		return
	}
	if now.Mode != vault.ModeFile {
		n.o.Warnf("%s is set and overrides config.json: unset it", KeyFileVariable)
		return
	}
	if path, err := filepath.Abs(file); err == nil && path != now.File {
		n.o.Warnf("%s overrides config.json and does not name the new file: set it to %s", KeyFileVariable, now.File)
	}
}

// KeyPlaces says where the master key is.
func (n *Opener) KeyPlaces() (vault.Places, error) {
	k, err := n.Keeper()
	if err != nil {
		return vault.Places{}, err
	}
	return k.Places()
}

// keyPlaces reads and writes in config.json where the master key is.
type keyPlaces struct {
	home   *home.Home
	getenv func(string) string

	mu    sync.Mutex // guards saved
	saved bool       // this process changed the place, so config.json is right
}

func (k *keyPlaces) load() (vault.Places, error) {
	c, err := k.home.ReadConfig()
	if err != nil {
		return vault.Places{}, err
	}
	k.mu.Lock()
	saved := k.saved
	k.mu.Unlock()
	file := k.getenv(KeyFileVariable)
	if saved {
		file = ""
	}
	return placesOf(c, file)
}

// placesOf is what a configuration says, unless the key file in the environment, if there
// is one, overrides it.
func placesOf(c home.Config, file string) (vault.Places, error) {
	e := c.Encryption
	p := vault.Places{Place: vault.Place(e.KeyPlace), Next: (*vault.Place)(e.Next), Reseal: e.Reseal, Previous: (*vault.Place)(e.Previous), Changed: e.ChangedAt}
	if file == "" || p.Next != nil || p.Previous != nil {
		return p, nil
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return vault.Places{}, fmt.Errorf("%s: %w", KeyFileVariable, err)
	}
	p.Place = vault.Place{Mode: vault.ModeFile, File: file}
	return p, nil
}

func (k *keyPlaces) save(p vault.Places) error {
	ctx, cancel := Bounded(context.Background())
	defer cancel()
	err := k.home.UpdateConfig(ctx, func(c *home.Config) {
		e := &c.Encryption
		e.KeyPlace, e.Next, e.Reseal = home.KeyPlace(p.Place), (*home.KeyPlace)(p.Next), p.Reseal
		e.Previous, e.ChangedAt = (*home.KeyPlace)(p.Previous), p.Changed
	})
	if err == nil {
		k.mu.Lock()
		k.saved = true
		k.mu.Unlock()
	}
	return err
}
