package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/authsome/authsome/secret"
)

// Keeper keeps a home's master key: it reads it where it is, makes it on first
// use, and moves and replaces it for all vaults of the home. Its exported fields
// must be set before the first use. Its methods are safe for concurrent use.
type Keeper struct {
	Home   string                   // for master.key and the lock
	Places func() (Places, error)   // reads what is noted of the key, anew
	Save   func(Places) error       // notes it, durably
	Vaults func() ([]string, error) // directories of the profiles

	// Passphrase asks for the passphrase; nil has none. It is asked again, with
	// Try counting, until the passphrase is right or it returns an error.
	Passphrase func(Ask) (secret.String, error)

	// after is told of each step of a change; an error interrupts it there. Tests
	// set it.
	after func(step string) error
	cheap bool // new passphrases cost next to nothing: tests make many

	mu  sync.Mutex               // guards the following
	kek map[string]secret.String // wrapping keys made of passphrases, by function and salt
	was bool                     // the key has been read before
}

// Ask says which passphrase is asked for.
type Ask struct {
	Try   int  // 0 at first
	Again bool // by a process that has been running: nobody may be there
	Next  bool // the one of the key that a change was leading to
	New   bool // there is none yet: one is to be chosen
}

// keyLockWait bounds the wait for a change of the key by another process, and a
// change's wait for each vault.
const keyLockWait = 30 * time.Second

// lock excludes changes of the key from each other and from the making of
// vaults. It does not keep the key from being read.
func (k *Keeper) lock(ctx context.Context, mode lockMode) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, keyLockWait)
	defer cancel()
	release, err = poll(ctx, filepath.Join(k.Home, "key.lock"), mode)
	switch {
	case err == nil:
		return release, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("change of the master key: %w: %w", ErrLocked, err)
	}
	return nil, fmt.Errorf("lock the master key: %w", err)
}

// Load reads the master key, and makes one on first use.
func (k *Keeper) Load() (*MasterKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, err := k.load()
	if err == nil {
		k.was = true
	}
	return m, err
}

func (k *Keeper) load() (*MasterKey, error) {
	p, err := k.Places()
	if err != nil {
		return nil, err
	}
	m, err := k.read(p)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	// A change that ended between the two readings has moved the key.
	if p, err = k.Places(); err != nil {
		return nil, err
	}
	switch m, err = k.read(p); {
	case !errors.Is(err, fs.ErrNotExist):
		return m, err
	case p.Mode == ModeFile:
		return nil, fmt.Errorf("%w: %w", ErrNoKeyFile, err)
	}
	return k.first(p)
}

// first makes the first key of a home. Where vaults exist it was lost, and
// another one would open none of them.
func (k *Keeper) first(p Places) (*MasterKey, error) {
	release, err := k.lock(context.Background(), exclusive)
	if err != nil {
		return nil, err
	}
	defer release()
	if m, err := k.read(p); !errors.Is(err, fs.ErrNotExist) {
		return m, err // another process was first
	}
	dirs, err := k.withVault()
	if err != nil {
		return nil, err
	}
	if len(dirs) > 0 || p.changing() {
		return nil, fmt.Errorf("%s: %w", p.Where(k.Home), ErrKeyMissing)
	}
	if err := k.store(p.Place, p.base(k.Home), newMasterKey(), nil); err != nil {
		return nil, fmt.Errorf("make master key: %w", err)
	}
	return k.read(p)
}

// read reads the keys of all places that are noted. The present one must be
// there, and with it one that a change has not come to use yet may be missing.
func (k *Keeper) read(p Places) (*MasterKey, error) {
	given := &passphrases{ask: k.Passphrase, again: k.was}
	m, err := k.readPlace(p.Place, p.currentFile(k.Home), given)
	if err != nil && !p.changing() {
		return nil, err
	}
	var more *MasterKey
	var errMore error
	switch {
	case p.Next != nil:
		given.next = true
		more, errMore = k.readPlace(*p.Next, p.nextFile(k.Home), given)
	case p.Previous != nil && (p.Previous.Mode == ModeKeyring || p.previousFile(k.Home) != ""):
		more, errMore = k.readPlace(*p.Previous, p.previousFile(k.Home), given)
	}
	switch {
	case m == nil && more == nil:
		return nil, err
	case m == nil:
		m, m.lost = more, err
	case more != nil:
		m.older = append(m.older, more.key)
	case errMore != nil && !errors.Is(errMore, fs.ErrNotExist):
		m.lost = errMore
	}
	m.again, m.hold = k.Load, k.hold
	return m, nil
}

func (k *Keeper) readPlace(p Place, path string, given *passphrases) (*MasterKey, error) {
	check := checkPrivate
	switch p.Mode {
	case ModeKeyring:
		return keyringKey(p.account())
	case ModeFile:
		check = checkSecret
	case ModeLocalKey, ModePassphrase:
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknownMode, p.Mode)
	}
	f, err := readKeyFile(path, check)
	if err != nil {
		return nil, err
	}
	if f.KDF == nil {
		return f.plain(path)
	}
	return k.unlock(f, given)
}

// ErrUnknownMode says that the master key is kept in a way that this version
// does not know.
var ErrUnknownMode = errors.New("the configuration names an unknown mode of the master key")

// passphrases are those that were given for one reading of the keys.
type passphrases struct {
	ask   func(Ask) (secret.String, error)
	again bool
	next  bool
	all   []secret.String
}

// unlock opens a key under a passphrase: with what was derived before, with a
// passphrase that was given already, or with one that is asked for.
func (k *Keeper) unlock(f keyFile, given *passphrases) (*MasterKey, error) {
	if kek, ok := k.kek[f.KDF.id()]; ok {
		return f.unwrapMaster(kek)
	}
	for _, passphrase := range given.all {
		if m, err := k.derive(f, passphrase); err == nil {
			return m, nil
		}
	}
	if given.ask == nil {
		return nil, ErrNoPassphrase
	}
	for try := 0; ; try++ {
		passphrase, err := given.ask(Ask{Try: try, Again: given.again, Next: given.next})
		switch {
		case err != nil && try > 0:
			return nil, ErrWrongPassphrase
		case err != nil:
			return nil, err
		}
		m, err := k.derive(f, passphrase)
		if err == nil {
			given.all = append(given.all, passphrase)
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

// remember keeps the wrapping key, and not the passphrase: a running process
// can follow a rotation with it.
func (k *Keeper) remember(d kdf, kek secret.String) {
	if k.kek == nil {
		k.kek = make(map[string]secret.String)
	}
	k.kek[d.id()] = kek
}

// store writes a key to a place that has none. A key under a passphrase is
// wrapped as d says, whose wrapping key is known; without d the passphrase is
// asked for.
func (k *Keeper) store(p Place, path string, m *MasterKey, d *kdf) error {
	switch {
	case p.Mode == ModeKeyring:
		return keyringStore(p.account(), m)
	case p.Mode == ModePassphrase && d == nil:
		made, err := k.newPassphrase()
		if err != nil {
			return err
		}
		d = &made
		fallthrough
	case p.Mode == ModePassphrase:
		f, err := wrapMaster(m, *d, k.kek[d.id()])
		if err != nil {
			return err
		}
		return createKeyFile(path, f)
	}
	return makeKeyFile(path, m)
}

// newPassphrase asks for the first passphrase of a home.
func (k *Keeper) newPassphrase() (kdf, error) {
	if k.Passphrase == nil {
		return kdf{}, ErrNoPassphrase
	}
	passphrase, err := k.Passphrase(Ask{Again: k.was, New: true})
	if err != nil {
		return kdf{}, err
	}
	return k.usePassphrase(passphrase), nil
}

func (k *Keeper) usePassphrase(passphrase secret.String) kdf {
	d := newKDF()
	if k.cheap {
		d.Time, d.Memory, d.Threads = 1, 64, 1
	}
	k.remember(d, d.derive(passphrase))
	return d
}

// hold reads the key and keeps it from being changed until release: for the time
// in which a new vault is made, which a change could not see.
func (k *Keeper) hold() (m *MasterKey, release func(), err error) {
	release, err = k.lock(context.Background(), shared)
	if err != nil {
		return nil, nil, err
	}
	if m, err = k.Load(); err != nil {
		release()
		return nil, nil, err
	}
	return m, release, nil
}

// withVault are the directories of the profiles that have a vault.
func (k *Keeper) withVault() ([]string, error) {
	all, err := k.Vaults()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, dir := range all {
		if !missing(filepath.Join(dir, "vault.json")) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}
