package opener

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// Peek reads names from a home, for the completion of a command line. It does not ask,
// unlock a keyring, warn, create or change anything. What it cannot read has no names.
type Peek struct {
	o    Options
	home *home.Home // nil if there is none
}

// NewPeek makes a Peek with the same options as an [Opener].
func NewPeek(o Options) *Peek {
	p := &Peek{o: o}
	if dir, err := home.DefaultDir(o.Getenv); err == nil {
		p.home, _ = home.Peek(dir)
	}
	return p
}

// Definitions are the bundled definitions and those of the home.
func (p *Peek) Definitions() []*providers.Definition {
	set, err := p.set()
	if err != nil {
		return nil
	}
	return set.All()
}

// Provider is the name of the provider that a person means by text.
func (p *Peek) Provider(text string) string {
	set, err := p.set()
	if err != nil {
		return text
	}
	return set.Resolve(text)
}

func (p *Peek) set() (*providers.Set, error) {
	dir := ""
	if p.home != nil {
		dir = p.home.ProvidersDir()
	}
	return providers.Load(dir)
}

// Profiles are the names of the profiles.
func (p *Peek) Profiles() []string {
	if p.home == nil {
		return nil
	}
	names, err := p.home.Profiles()
	if err != nil {
		return nil
	}
	return names
}

// peekWait is how long a completion waits for another process that changes the vault.
const peekWait = 500 * time.Millisecond

// Connections are the names of the connections of the profile in use, by provider. It is
// empty if the master key is in the keyring, or has a passphrase.
func (p *Peek) Connections(ctx context.Context) map[string][]string {
	var names map[string][]string
	p.read(ctx, func(ctx context.Context, credentials *auth.Auth) {
		names, _ = credentials.Names(ctx)
	})
	return names
}

// Routes is the routing table of the same connections, or nil.
func (p *Peek) Routes(ctx context.Context) *routing.Table {
	var t *routing.Table
	p.read(ctx, func(ctx context.Context, credentials *auth.Auth) {
		var err error
		if credentials.Providers, err = p.set(); err == nil {
			t = credentials.Routes(ctx)
		}
	})
	return t
}

// read calls fn with the credentials of the profile in use, if they can be read.
func (p *Peek) read(ctx context.Context, fn func(context.Context, *auth.Auth)) {
	if p.home == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, peekWait)
	defer cancel()
	if credentials, err := p.auth(); err == nil {
		fn(ctx, credentials)
	}
}

// errLocked means that the master key cannot be read without unlocking something.
var errLocked = errors.New("locked")

func (p *Peek) auth() (*auth.Auth, error) {
	name := cmp.Or(p.o.Profile, p.o.Getenv("AUTHSOME_PROFILE"), p.home.Config.DefaultProfile)
	profile, err := p.home.Profile(name)
	if err != nil {
		return nil, err
	}
	if _, _, err := vault.Describe(profile.Dir); err != nil {
		return nil, err // opening the vault would create it
	}
	key, err := p.masterKey()
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(profile.Dir, key)
	if err != nil {
		return nil, err
	}
	return &auth.Auth{Vault: v, Profile: name}, nil
}

// masterKey reads a key that is in a file. It does not finish an interrupted change of
// the key.
func (p *Peek) masterKey() (*vault.MasterKey, error) {
	places, err := placesOf(p.home.Config, p.o.Getenv(KeyFileVariable))
	if err != nil {
		return nil, err
	}
	file := places.File
	switch places.Mode {
	case vault.ModeLocalKey:
		file = filepath.Join(p.home.Dir, "master.key")
	case vault.ModeFile:
	default:
		return nil, errLocked
	}
	// Without the file, the keeper would create the key.
	if _, err := os.Stat(file); err != nil || places.Next != nil {
		return nil, fmt.Errorf("%w: %v", errLocked, err)
	}
	keeper := &vault.Keeper{
		Home:   p.home.Dir,
		Places: func() (vault.Places, error) { return places, nil },
		Save:   func(vault.Places) error { return errLocked },
		Vaults: func() ([]string, error) { return nil, errLocked },
	}
	return keeper.Load()
}
