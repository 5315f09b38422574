package auth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// LogoutResult is the provider's part in the removal of a connection or of an OAuth
// client. The vault's copy is deleted in any case.
type LogoutResult struct {
	Connection string // empty for the client
	AuthType   string // of the connection; empty for the client, and if the record cannot be read
	// Remote is nil if the provider confirmed that it revoked the tokens or deleted
	// the client. It is [flows.ErrNoRevocation] or [flows.ErrNotManaged] if the
	// provider does not support that; otherwise it says why the tokens or the client
	// are still valid.
	Remote error
}

// errAddressChanged is the LogoutResult.Remote of a connection whose definition has
// other endpoints than at the login.
var errAddressChanged = errors.New("the definition has other addresses than at the login, and stored secrets are not sent to new addresses")

const (
	// revokeTimeout bounds a request that revokes tokens or deletes a client.
	revokeTimeout = 10 * time.Second
	// revokeLockTimeout bounds the wait for a refresh of the connection in another
	// process.
	revokeLockTimeout = 5 * time.Second
)

// Logout revokes a connection's tokens at the provider, if the provider supports that,
// and deletes the connection even if the provider refuses. An empty name means the
// default connection. If the deleted connection was the default and others remain, the
// provider has no default until one is set, because authsome does not guess which account
// to use. Client credentials stay.
func (a *Auth) Logout(ctx context.Context, provider, name string) (LogoutResult, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return LogoutResult{}, err
	}
	if name == "" {
		if name, err = s.choose(provider); err != nil {
			return LogoutResult{}, err
		}
	}
	if !s.has(provider, name) {
		return LogoutResult{}, s.missing(provider, name)
	}
	result, unlock, err := a.revoke(ctx, target{provider, name})
	if err != nil {
		return LogoutResult{}, err
	}
	defer unlock()
	ctx, cancel := detached(ctx)
	defer cancel()
	err = a.update(ctx, provider, func(tx *vault.Tx, s *snapshot) error {
		if s.defaults[provider] == name {
			s.defaults[provider] = ""
		}
		return tx.Delete(a.connectionKey(provider, name))
	})
	return result, err
}

// Revoke removes everything of a provider. It revokes the tokens of every connection
// and deletes the OAuth client at the provider, if authsome registered it, and then
// deletes all records. A provider without records is not an error.
func (a *Auth) Revoke(ctx context.Context, provider string) ([]LogoutResult, error) {
	if err := a.checkNames(provider); err != nil {
		return nil, err
	}
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return nil, err
	}
	names := s.names(provider)
	results, unlocks := make([]LogoutResult, len(names)), make([]func(), len(names))
	defer func() {
		for _, unlock := range unlocks {
			if unlock != nil {
				unlock()
			}
		}
	}()
	var revoking errgroup.Group
	for i, name := range names {
		revoking.Go(func() (err error) {
			results[i], unlocks[i], err = a.revoke(ctx, target{provider, name})
			return err
		})
	}
	if err := revoking.Wait(); err != nil {
		return nil, err
	}
	// After the tokens, which can be revoked only while the clients exist.
	results = append(results, a.deregisterAll(ctx, s, provider)...)
	ctx, cancel := detached(ctx)
	defer cancel()
	return results, a.Remove(ctx, provider)
}

// detached returns a context for changes to the vault that must happen even if the
// caller has given up.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
}

// revoke asks the provider to revoke a connection's tokens. It holds the connection's
// lock until unlock is called, so that no refresh can store a token that is being
// revoked. If a refresh in another process takes too long, revoke goes on without the
// lock. Any other failure to lock is an error, because the connection could not be
// deleted either.
func (a *Auth) revoke(ctx context.Context, t target) (result LogoutResult, unlock func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, revokeLockTimeout)
	unlock, err = a.lock(waiting, t)
	cancel()
	if errors.Is(err, ErrBusy) {
		unlock, err = func() {}, nil
	}
	if err != nil {
		return LogoutResult{}, nil, err
	}
	result = LogoutResult{Connection: t.connection}
	c, clients, err := a.readConnection(ctx, t)
	if err != nil {
		result.Remote = err
		return result, unlock, nil
	}
	result.AuthType, result.Remote = c.AuthType, a.revokeTokens(ctx, c, clients)
	return result, unlock, nil
}

// revokeTokens returns nil if the provider confirmed the revocation.
func (a *Auth) revokeTokens(ctx context.Context, c Connection, clients []flows.Client) error {
	config, err := a.revocationConfig(c, clients)
	if err != nil {
		return err
	}
	access := c.AccessToken
	if !c.ExpiresAt.IsZero() && !a.now().Before(c.ExpiresAt) && !c.RefreshToken.IsZero() {
		access = secret.String{} // already expired
	}
	asking, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	return config.Revoke(asking, access, c.RefreshToken)
}

// revocationConfig returns what the protocol needs to revoke a connection's tokens.
func (a *Auth) revocationConfig(c Connection, clients []flows.Client) (*flows.Config, error) {
	if c.AccessToken.IsZero() && c.RefreshToken.IsZero() {
		return nil, flows.ErrNoRevocation
	}
	d, _, err := a.Definition(c)
	if err != nil {
		return nil, err
	}
	config, blocked := a.config(d, c, clients)
	if blocked != "" || revocationURL(d) != c.RevocationURL {
		return nil, errAddressChanged
	}
	return config, nil
}

func revocationURL(d *providers.Definition) string {
	if d.OAuth == nil || d.OAuth.Revocation == nil {
		return ""
	}
	return d.OAuth.Revocation.URL
}

// deregisterAll deletes the clients that logins registered.
func (a *Auth) deregisterAll(ctx context.Context, s *snapshot, provider string) []LogoutResult {
	clients, _ := s.clientsOf(provider) // the caller deletes unreadable records too
	clients = slices.DeleteFunc(clients, func(c flows.Client) bool { return c.RegistrationURL == "" })
	results := make([]LogoutResult, len(clients))
	var asking sync.WaitGroup
	for i, client := range clients {
		asking.Go(func() { results[i].Remote = a.deregister(ctx, s, provider, client) })
	}
	asking.Wait()
	return results
}

// deregister deletes a client where it was registered. The request goes to the address
// that the registration returned, so a changed definition cannot redirect it.
func (a *Auth) deregister(ctx context.Context, s *snapshot, provider string, client flows.Client) error {
	d, err := a.definition(provider)
	if err != nil {
		return err
	}
	config := &flows.Config{Definition: d, Client: client, HTTP: a.HTTP, Now: a.Now}
	for _, c := range s.connections {
		if c.ClientID == client.ID && (c.Issuer == client.Issuer || config.Values == nil) {
			config.Values = c.Values()
		}
	}
	asking, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	return config.Deregister(asking)
}

// Stored reports whether connections or client credentials of a provider are stored, even
// if they cannot be read.
func (a *Auth) Stored(ctx context.Context, provider string) (bool, error) {
	if err := a.checkNames(provider); err != nil {
		return false, err
	}
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return false, err
	}
	return len(s.connections)+len(s.unreadable)+len(s.clients[provider]) > 0, nil
}

// Remove deletes all records of a provider: connections, client credentials and the
// default. It does not contact the provider. A provider without records is not an error.
func (a *Auth) Remove(ctx context.Context, provider string) error {
	return a.change(ctx, provider, func(tx *vault.Tx) error {
		records, err := tx.List(a.providerPrefix(provider))
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := tx.Delete(r.Key); err != nil {
				return err
			}
		}
		return a.forgetPreferences(tx, provider, nil)
	})
}
