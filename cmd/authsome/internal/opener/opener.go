// Package opener opens what commands work with: the home, profiles with their vaults
// and credentials, the definitions, the audit log and the log.
//
// Nothing is opened before a command asks for it, so that help works in any state,
// and nothing is opened twice. An [Opener] never changes: a command that works on
// another profile opens that one with [Opener.Named].
package opener

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/near"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/internal/runs"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// VaultWait is how long a command waits for other processes to release the vault.
const VaultWait = 30 * time.Second

// Bounded limits how long a command waits for the vault.
func Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, VaultWait)
}

// Options are what an [Opener] needs to know. All functions must be set.
type Options struct {
	Getenv     func(string) string
	Profile    string                                 // as --profile named it, or empty
	Passphrase func(vault.Ask) (secret.String, error) // asks a person
	Warnf      func(format string, args ...any)
	Waitingf   func(format string, args ...any) // says what the command is waiting for
	Log        LogOptions
}

// Opener opens things once. It is safe for concurrent use, except Close.
type Opener struct {
	o         Options
	home      func() (*home.Home, error)
	keeper    func() (*vault.Keeper, error)
	providers func() (*providers.Set, error)
	log       func() *slog.Logger
	pinned    atomic.Bool // PinConnections was called

	mu       sync.Mutex // guards all fields below
	profiles map[string]*Profile
	closers  []func() // run last to first
}

// New makes an opener. It opens nothing.
func New(o Options) *Opener {
	n := &Opener{o: o, profiles: make(map[string]*Profile)}
	n.home = sync.OnceValues(n.openHome)
	n.keeper = sync.OnceValues(n.newKeeper)
	n.providers = sync.OnceValues(n.LoadProviders)
	n.log = sync.OnceValue(n.openLog)
	return n
}

// IgnoringKeyFile is an opener that does not follow AUTHSOME_MASTER_KEY_FILE. The
// caller closes it.
func (n *Opener) IgnoringKeyFile() *Opener {
	o := n.o
	o.Getenv = func(name string) string {
		if name == KeyFileVariable {
			return ""
		}
		return n.o.Getenv(name)
	}
	return New(o)
}

// Shared returns an opener for one command that this process runs for somebody else. It
// has the home, the profiles and the vaults that n has opened, and reads the definitions
// again. Closing it closes nothing of n's, which must be closed after it.
func (n *Opener) Shared() *Opener {
	s := New(n.o)
	s.home, s.keeper, s.log = n.home, n.keeper, n.log
	n.mu.Lock()
	defer n.mu.Unlock()
	s.profiles = maps.Clone(n.profiles)
	return s
}

// Home is the home directory, created if it is missing. In an isolated run, which hides
// it, the error is an [*exit.HiddenError].
func (n *Opener) Home() (*home.Home, error) { return n.home() }

func (n *Opener) openHome() (*home.Home, error) {
	dir, err := home.DefaultDir(n.o.Getenv)
	if err != nil {
		return nil, err
	}
	if runs.IsIsolated(dir) {
		return nil, &exit.HiddenError{}
	}
	h, err := home.Open(dir)
	if _, open := errors.AsType[*home.AccessError](err); open && n.closePython(dir) {
		return home.Open(dir)
	}
	return h, err
}

// closePython makes a home of the Python authsome inaccessible to other users, which that
// program does not do. It reports whether it succeeded.
func (n *Opener) closePython(dir string) bool {
	stores, err := pythonhome.Stores(dir)
	if err != nil || len(stores) == 0 {
		return false
	}
	was, err := home.CloseToOthers(dir)
	if err != nil {
		return false // the error of home.Open says what to do
	}
	n.o.Warnf("other users could read %s, the home of a Python authsome; its mode was %04o and is now 0700", dir, was)
	return true
}

// Providers are the definitions, read once.
func (n *Opener) Providers() (*providers.Set, error) { return n.providers() }

// LoadProviders reads the definitions again, for a proxy that reloads and after one
// was installed.
func (n *Opener) LoadProviders() (*providers.Set, error) {
	h, err := n.Home()
	if err != nil {
		return nil, err
	}
	return providers.Load(h.ProvidersDir())
}

// ProfileName is the name of the profile in use: the flag, else the variable, else
// the configured default.
func (n *Opener) ProfileName() (string, error) {
	h, err := n.Home()
	if err != nil {
		return "", err
	}
	name := n.NamedProfile()
	if name == "" {
		return h.Config.DefaultProfile, nil
	}
	if err := home.ValidateName(name); err != nil {
		return "", exit.Usagef("profile %v", err)
	}
	return name, nil
}

// NamedProfile is the profile that --profile or AUTHSOME_PROFILE names, or empty.
func (n *Opener) NamedProfile() string {
	return cmp.Or(n.o.Profile, n.o.Getenv("AUTHSOME_PROFILE"))
}

// Profile is the profile in use, which must exist.
func (n *Opener) Profile() (*Profile, error) {
	name, err := n.ProfileName()
	if err != nil {
		return nil, err
	}
	p, err := n.Named(name)
	if errors.Is(err, home.ErrNoProfile) && n.NamedProfile() == "" {
		return nil, n.missingDefault(name, err)
	}
	return p, err
}

// missingDefault says that config.json names a default profile that does not exist.
func (n *Opener) missingDefault(name string, err error) error {
	err = fmt.Errorf("default_profile in config.json: %w", err)
	h, homeErr := n.Home()
	if homeErr != nil {
		return err
	}
	names, listErr := h.Profiles()
	if listErr != nil || len(names) == 0 {
		return exit.WithCommand(err, "profile create %s", name)
	}
	return exit.WithCommand(err, "profile use %s", cmp.Or(near.Nearest(name, names, 2), names[0]))
}

// Named is the profile of that name, which must exist.
func (n *Opener) Named(name string) (*Profile, error) { return n.profile(name, (*home.Home).Profile) }

// Ensure is the profile of that name, created if it is missing.
func (n *Opener) Ensure(name string) (*Profile, error) {
	return n.profile(name, (*home.Home).EnsureProfile)
}

func (n *Opener) profile(name string, open func(*home.Home, string) (home.Profile, error)) (*Profile, error) {
	h, err := n.Home()
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.profiles[name]; p != nil {
		return p, nil
	}
	found, err := open(h, name)
	if err != nil {
		return nil, err
	}
	p := newProfile(n, found)
	n.profiles[name] = p
	return p, nil
}

// onClose registers f to run when the opener is closed, before what was registered
// earlier.
func (n *Opener) onClose(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closers = append(n.closers, f)
}

// onCloseLast registers f to run after everything else.
func (n *Opener) onCloseLast(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closers = slices.Insert(n.closers, 0, f)
}

// Close closes what was opened. A function that runs may open what closes after it.
func (n *Opener) Close() {
	for {
		n.mu.Lock()
		if len(n.closers) == 0 {
			n.mu.Unlock()
			return
		}
		last := len(n.closers) - 1
		f := n.closers[last]
		n.closers = n.closers[:last]
		n.mu.Unlock()
		f()
	}
}
