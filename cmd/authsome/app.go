package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// app is what the commands share: the standard streams, the global flags, and
// openers. Nothing is opened before a command asks for it, so that help works in
// any state.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	// Global flags.
	profileName  string
	profileNamed string // as it was given; profileName may be changed by a command
	json         bool
	quiet        bool
	noColor      bool
	verbose      bool
	logFile      string

	// ignoreKeyFile takes config.json's word for where the master key is, against
	// the variable's.
	ignoreKeyFile bool

	childHasTerminal atomic.Bool // run's

	home      func() (*home.Home, error)
	profile   func() (home.Profile, error)
	keeper    func() (*vault.Keeper, error)
	vault     func() (*vault.Vault, error)
	providers func() (*providers.Set, error)
	auth      func() (*auth.Auth, error)
	audit     func() (*audit.Log, error)
	log       func() *slog.Logger

	closers []func()
}

// vaultWait is how long a command waits for other processes to leave the vault.
const vaultWait = 30 * time.Second

func newApp() *app {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	a.home = sync.OnceValues(a.openHome)
	a.profile = sync.OnceValues(a.openProfile)
	a.keeper = sync.OnceValues(a.newKeeper)
	a.vault = sync.OnceValues(a.openVault)
	a.providers = sync.OnceValues(a.loadProviders)
	a.auth = sync.OnceValues(a.openAuth)
	a.audit = sync.OnceValues(a.openAudit)
	a.log = sync.OnceValue(a.openLog)
	return a
}

func (a *app) openHome() (*home.Home, error) {
	dir, err := home.DefaultDir(a.getenv)
	if err != nil {
		return nil, err
	}
	return home.Open(dir)
}

// openProfile takes the flag, then the variable, then the configured default.
// The default profile is made on first use; another must exist.
func (a *app) openProfile() (home.Profile, error) {
	h, err := a.home()
	if err != nil {
		return home.Profile{}, err
	}
	name := a.profileInUse(h)
	if name == h.Config.DefaultProfile {
		return h.EnsureProfile(name)
	}
	return h.Profile(name)
}

func (a *app) profileInUse(h *home.Home) string {
	return cmp.Or(a.profileName, a.getenv("AUTHSOME_PROFILE"), h.Config.DefaultProfile)
}

func (a *app) openVault() (*vault.Vault, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	return a.openProfileVault(p)
}

// openProfileVault opens the vault of a profile, which may be another one than
// the command line's.
func (a *app) openProfileVault(p home.Profile) (*vault.Vault, error) {
	key, err := a.masterKey()
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(p.Dir, key)
	if err != nil {
		return nil, err
	}
	v.OnWait = func(holder string) {
		if holder == "" {
			holder = "another process"
		}
		a.waitingf("the vault of profile %s, which %s is using", p.Name, holder)
	}
	return v, nil
}

func (a *app) masterKey() (*vault.MasterKey, error) {
	k, err := a.keeper()
	if err != nil {
		return nil, err
	}
	a.resumeKeyChange(k)
	return k.Load()
}

// loadProviders reads the definitions anew. A running proxy calls it at each
// reload; commands use the field of the same name, which remembers.
func (a *app) loadProviders() (*providers.Set, error) {
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	set, err := providers.Load(h.ProvidersDir())
	if err != nil {
		return nil, err
	}
	for _, p := range set.Problems {
		a.warnf("%s is not used: %v", p.Path, p.Err)
	}
	return set, nil
}

func (a *app) openAuth() (*auth.Auth, error) {
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	opened := &auth.Auth{Vault: v, Providers: set, Profile: p.Name}
	opened.OnRefresh = func(r auth.Refresh) {
		if err := a.record(sidecar.RefreshEvent(r, p.Name)); err != nil {
			a.warnf("a refresh of %s is missing in the audit log: %v", r.Provider, err)
		}
	}
	a.closers = append(a.closers, opened.Close)
	return opened, nil
}

// openAudit opens the log with lines sealed under a key of the profile's vault.
func (a *app) openAudit() (*audit.Log, error) {
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	v, err := a.vault()
	if err != nil {
		return nil, err
	}
	l, err := audit.Open(h.AuditPath(), audit.Options{
		Key: v.DeriveKey("audit"), Actor: actor(),
		OnError: func(err error) { a.warnf("the audit log is failing: %v", err) },
	})
	if err != nil {
		return nil, err
	}
	// It closes last: what else is closing may have something to tell it.
	a.closers = slices.Insert(a.closers, 0, func() {
		if err := l.Close(); err != nil {
			a.warnf("the audit log is not complete: %v", err)
		}
	})
	return l, nil
}

// actor is the user of this process, for the audit log.
func actor() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// record writes an event of a command to the audit log. It is one of the profile
// in use, unless it names another.
func (a *app) record(e audit.Event) error {
	l, err := a.audit()
	if err != nil {
		return err
	}
	if p, err := a.profile(); err == nil {
		e.Profile = cmp.Or(e.Profile, p.Name)
	}
	l.Record(e)
	return nil
}

func (a *app) close() {
	for len(a.closers) > 0 { // a closer may open what closes after it
		last := len(a.closers) - 1
		fn := a.closers[last]
		a.closers = a.closers[:last]
		fn()
	}
}

// bounded limits how long a command waits for the vault.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, vaultWait)
}

// behindProxy refuses commands that reveal secrets to what runs behind the proxy:
// an agent would be the one who asks.
func (a *app) behindProxy(command string) error {
	if a.getenv("AUTHSOME_PROXY_MODE") == "" {
		return nil
	}
	return withHint(errors.New(command+" reveals secrets, and this runs behind the authsome proxy"), "run it in a terminal of your own")
}

// terminal is the descriptor of stdin when a person sits there.
func (a *app) terminal() (fd int, ok bool) {
	f, isFile := a.stdin.(*os.File)
	if !isFile {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}
