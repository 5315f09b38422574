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

// Keeper manages a home's master key: it reads the key from its place, creates it
// on first use, and moves and replaces it for all vaults of the home. Its exported
// fields must be set before the first use. Its methods are safe for concurrent
// use.
type Keeper struct {
	Home   string                   // the directory of master.key and of the lock
	Places func() (Places, error)   // reads what the home records about the key
	Save   func(Places) error       // records it, durably
	Vaults func() ([]string, error) // returns the directories of the profiles

	// Passphrase asks for a passphrase. It is called again, with Try counting up,
	// until the passphrase is right or it returns an error. If it is nil, a key under
	// a passphrase cannot be read ([ErrNoPassphrase]).
	Passphrase func(Ask) (secret.String, error)

	// Tests set these.
	afterStep func(step string) error // called after each step of a change; an error interrupts the change there
	cheapKDF  bool                    // makes new passphrases fast to derive a key from

	mu     sync.Mutex               // guards the fields below
	kek    map[string]secret.String // keys derived from passphrases, by KDF and salt
	loaded bool                     // the key was read before
}

// Ask says which passphrase is needed.
type Ask struct {
	Try    int  // the number of wrong answers before
	Reload bool // the process read the key before and may have no user at the terminal
	Next   bool // the passphrase of the new key of an interrupted change
	New    bool // the home has no passphrase yet: the user chooses one
}

// keyLockWait limits the wait for another process that is changing the key, and
// the wait of a change for each vault.
const keyLockWait = 30 * time.Second

// lock excludes other changes of the key, and the creation of vaults. The key can
// be read without it.
func (k *Keeper) lock(ctx context.Context, mode lockMode) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, keyLockWait)
	defer cancel()
	release, err = pollLock(ctx, filepath.Join(k.Home, "key.lock"), mode)
	switch {
	case err == nil:
		return release, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("wait for a change of the master key: %w", &lockedError{err: err})
	}
	return nil, fmt.Errorf("lock the master key: %w", err)
}

// Load reads the master key. On first use it creates the key.
func (k *Keeper) Load() (*MasterKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, err := k.load()
	if err == nil {
		k.loaded = true
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
	// A change may have moved the key between the two reads above.
	if p, err = k.Places(); err != nil {
		return nil, err
	}
	switch m, err = k.read(p); {
	case !errors.Is(err, fs.ErrNotExist):
		return m, err
	case p.Mode == ModeFile:
		return nil, fmt.Errorf("%w: %w", ErrNoKeyFile, err)
	}
	return k.createFirst(p)
}

// createFirst creates the first key of a home. If vaults exist, their key was lost
// and a new one would not open them, so that is an error.
func (k *Keeper) createFirst(p Places) (*MasterKey, error) {
	release, err := k.lock(context.Background(), exclusive)
	if err != nil {
		return nil, err
	}
	defer release()
	if m, err := k.read(p); !errors.Is(err, fs.ErrNotExist) {
		return m, err // another process was first
	}
	dirs, err := k.vaultDirs()
	if err != nil {
		return nil, err
	}
	if len(dirs) > 0 || p.changing() {
		return nil, fmt.Errorf("%s: %w", p.Where(k.Home), ErrKeyMissing)
	}
	if err := k.store(p.Place, p.base(k.Home), newMasterKey(), nil); err != nil {
		return nil, fmt.Errorf("create the master key: %w", err)
	}
	return k.read(p)
}

// read reads the keys at all recorded places. Without a change that is one key,
// which must exist. During a change one of the two keys may be missing.
func (k *Keeper) read(p Places) (*MasterKey, error) {
	given := &passphrases{ask: k.Passphrase, reload: k.loaded}
	m, err := k.readPlace(p.Place, p.currentFile(k.Home), given)
	if err != nil && !p.changing() {
		return nil, err
	}
	var other *MasterKey
	var otherErr error
	switch {
	case p.Next != nil:
		given.next = true
		other, otherErr = k.readPlace(*p.Next, p.nextFile(k.Home), given)
	case p.Previous != nil && (p.Previous.Mode == ModeKeyring || p.previousFile(k.Home) != ""):
		other, otherErr = k.readPlace(*p.Previous, p.previousFile(k.Home), given)
	}
	switch {
	case m == nil && other == nil:
		return nil, err
	case m == nil:
		m, m.readErr = other, err
	case other != nil:
		m.others = append(m.others, other.key)
	case otherErr != nil && !errors.Is(otherErr, fs.ErrNotExist):
		m.readErr = otherErr
	}
	m.reload, m.loadLocked = k.Load, k.loadLocked
	return m, nil
}

func (k *Keeper) readPlace(p Place, path string, given *passphrases) (*MasterKey, error) {
	check := fileCheck(checkPrivate)
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
		return f.unwrapped(path)
	}
	return k.unlock(f, given)
}

// ErrUnknownMode means that this version does not know the mode in which the
// master key is kept.
var ErrUnknownMode = errors.New("the configuration names an unknown mode of the master key")

// store writes a key to a place that has no key. In ModePassphrase, d says how to
// wrap the key, and its wrapping key must be known; if d is nil, the user is asked
// for a new passphrase.
func (k *Keeper) store(p Place, path string, m *MasterKey, d *kdf) error {
	switch {
	case p.Mode == ModeKeyring:
		return keyringStore(p.account(), m)
	case p.Mode == ModePassphrase && d == nil:
		created, err := k.newPassphrase()
		if err != nil {
			return err
		}
		d = &created
		fallthrough
	case p.Mode == ModePassphrase:
		f, err := wrapMaster(m, *d, k.kek[d.id()])
		if err != nil {
			return err
		}
		return createKeyFile(path, f)
	}
	return createUnwrappedKeyFile(path, m)
}

// loadLocked reads the key and blocks changes of it until release. It is for the
// creation of a vault: a change at that time would not see the new vault.
func (k *Keeper) loadLocked() (m *MasterKey, release func(), err error) {
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

// vaultDirs returns the directories of the profiles that have a vault.
func (k *Keeper) vaultDirs() ([]string, error) {
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
