package opener

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"sync"
	"time"

	"github.com/authsome/authsome/internal/regular"
	"github.com/authsome/authsome/routing"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/rejection"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/vault"
)

// Profile is a profile with what is opened in it.
type Profile struct {
	home.Profile

	opener *Opener
	vault  func() (*vault.Vault, error)
	auth   func() (*auth.Auth, error)
	audit  func() (*audit.Log, error)
}

func newProfile(n *Opener, found home.Profile) *Profile {
	p := &Profile{Profile: found, opener: n}
	p.vault = sync.OnceValues(p.openVault)
	p.auth = sync.OnceValues(p.openAuth)
	p.audit = sync.OnceValues(p.openAudit)
	return p
}

// Vault is the profile's vault, created on first use.
func (p *Profile) Vault() (*vault.Vault, error) { return p.vault() }

func (p *Profile) openVault() (*vault.Vault, error) {
	key, err := p.opener.MasterKey()
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(p.Dir, key)
	if err != nil {
		return nil, err
	}
	v.OnWait = func(holder string) {
		p.opener.o.Waitingf("the vault of profile %s, which %s is using", p.Name, cmp.Or(holder, "another process"))
	}
	return v, nil
}

// hasVault reports whether the profile's vault exists, in any condition.
func (p *Profile) hasVault() bool {
	_, _, err := vault.Describe(p.Dir)
	return !errors.Is(err, fs.ErrNotExist)
}

// Auth are the profile's connections. Refreshes that a command causes are written to
// the audit log.
func (p *Profile) Auth() (*auth.Auth, error) { return p.auth() }

func (p *Profile) openAuth() (*auth.Auth, error) {
	v, err := p.Vault()
	if err != nil {
		return nil, err
	}
	set, err := p.opener.Providers()
	if err != nil {
		return nil, err
	}
	opened := &auth.Auth{Vault: v, Providers: set, Profile: p.Name, OnPinned: p.opener.pinOthers}
	sidecar.RefreshReport{Profile: p.Name, Record: func(e audit.Event) {
		if err := p.Record(e); err != nil {
			p.opener.o.Warnf("the audit log does not have a refresh of %s: %v", e.Provider, err)
		}
	}}.Attach(opened)
	p.opener.onClose(opened.Close)
	return opened, nil
}

// Connections lists the profile's connections, and waits for the vault as long as a
// command does.
func (p *Profile) Connections(ctx context.Context) ([]auth.Connection, error) {
	ctx, cancel := Bounded(ctx)
	defer cancel()
	credentials, err := p.Auth()
	if err != nil {
		return nil, err
	}
	return credentials.Connections(ctx)
}

// Routes is the routing table that a proxy for the profile would have now.
func (p *Profile) Routes(ctx context.Context) (*routing.Table, error) {
	connections, err := p.Connections(ctx)
	if err != nil {
		return nil, err
	}
	credentials, err := p.Auth()
	if err != nil {
		return nil, err
	}
	return sidecar.Table(ctx, credentials, connections, routing.Options{})
}

// Rejections are which of the profile's credentials their services have rejected.
func (p *Profile) Rejections() rejection.Store { return rejection.Store{Dir: p.RejectedDir()} }

// RejectedSince returns since when the service rejects a connection's credential, or the
// zero time if that is not known. It is information: the credential is still used.
func (p *Profile) RejectedSince(c auth.Connection) time.Time {
	return p.Rejections().Since(sidecar.CredentialOf(c))
}

// Audit is the audit log, whose lines are sealed under a key of the profile's vault.
func (p *Profile) Audit() (*audit.Log, error) { return p.audit() }

func (p *Profile) openAudit() (*audit.Log, error) {
	h, err := p.opener.Home()
	if err != nil {
		return nil, err
	}
	if err := checkAuditLog(h.AuditPath()); err != nil {
		return nil, err
	}
	v, err := p.Vault()
	if err != nil {
		return nil, err
	}
	l, err := audit.Open(h.AuditPath(), audit.Options{
		Key: v.DeriveKey(auditKey), Actor: userName(),
		OnError: func(err error) { p.opener.o.Warnf("the audit log cannot be written: %v", err) },
	})
	if err != nil {
		return nil, err
	}
	// Last, because what closes before may have something to record.
	p.opener.onCloseLast(func() {
		if err := l.Close(); err != nil {
			p.opener.o.Warnf("the audit log is not complete: %v", err)
		}
	})
	return l, nil
}

// checkAuditLog refuses an audit log that is not a file, such as a pipe, whose reader
// could stop every command. A write to a device fails or succeeds at once; it is the
// log's own business, which config.json decides about.
func checkAuditLog(path string) error {
	err := regular.Check(path)
	if e, ok := errors.AsType[*regular.Error](err); ok && e.Mode&fs.ModeCharDevice == 0 {
		return fmt.Errorf("open audit log: %w", e)
	}
	return nil
}

// Record writes an event to the audit log. It is one of this profile, unless it names
// another.
func (p *Profile) Record(e audit.Event) error {
	l, err := p.Audit()
	if err != nil {
		return err
	}
	e.Profile = cmp.Or(e.Profile, p.Name)
	l.Record(e)
	return nil
}

// RecordNow is [Profile.Record], and returns when the event is on disk.
func (p *Profile) RecordNow(ctx context.Context, e audit.Event) error {
	if err := p.Record(e); err != nil {
		return err
	}
	l, err := p.Audit()
	if err != nil {
		return err
	}
	return l.Flush(ctx)
}

// auditKey labels the key of the audit log among those that derive from a vault's.
const auditKey = "audit"

// auditKeys are the keys that the profile's lines in the audit log can be sealed
// under: the present one, and those that its vault had before it was sealed again.
func (p *Profile) auditKeys(ctx context.Context) (keys [][]byte, err error) {
	v, err := p.Vault()
	if err != nil {
		return nil, err
	}
	err = v.View(ctx, func(tx *vault.Tx) error {
		keys, err = tx.RetiredKeys(auditKey)
		return err
	})
	return append(keys, v.DeriveKey(auditKey)), err
}

// KeepAuditKeys stores the audit keys of a profile that is about to be deleted, so
// that its lines can still be verified.
func (p *Profile) KeepAuditKeys(ctx context.Context, keys [][]byte) error {
	v, err := p.Vault()
	if err != nil {
		return err
	}
	return v.Update(ctx, func(tx *vault.Tx) error {
		for _, key := range keys {
			if err := tx.Retire(auditKey, key); err != nil {
				return fmt.Errorf("keep the audit keys: %w", err)
			}
		}
		return nil
	})
}

// userName is the user of this process, for the audit log.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
