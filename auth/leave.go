package auth

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// Left is what the provider said when a connection, or an OAuth client, was
// given up. Here it is forgotten in any case.
type Left struct {
	Connection string // "" for the client
	// Remote is nil if the provider confirmed that the tokens are revoked, or the
	// client deleted. Otherwise it is [flows.ErrNoRevocation] or
	// [flows.ErrNotManaged] where there is no way to ask, ErrNotAsked, or why it
	// did not work.
	Remote error
}

// ErrNotAsked says that a provider was not asked to revoke anything, because its
// definition has other addresses now than at the login.
var ErrNotAsked = errors.New("the definition has other addresses now than at the login, and stored secrets are not sent there")

const (
	// leaveTimeout bounds what a provider may take to revoke or delete one thing.
	leaveTimeout = 10 * time.Second
	// leaveWait bounds the wait for a refresh of a connection that is given up.
	leaveWait = 5 * time.Second
)

// Logout revokes a connection's tokens at the provider, where that has a way, and
// deletes the connection, whatever the provider said. An empty name means the
// connection used where none is named. If it was the default and others remain,
// there is no default until one is set: which account acts next is not guessed.
// Client credentials stay.
func (a *Auth) Logout(ctx context.Context, provider, name string) (Left, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return Left{}, err
	}
	if name == "" {
		if name, err = s.choose(provider); err != nil {
			return Left{}, err
		}
	}
	if !s.has(provider, name) {
		return Left{}, &LoginRequiredError{Provider: provider, Connection: name, Reason: ReasonMissing}
	}
	left, unlock, err := a.revoke(ctx, target{provider, name})
	if err != nil {
		return Left{}, err
	}
	defer unlock()
	ctx, cancel := afterwards(ctx)
	defer cancel()
	err = a.update(ctx, provider, func(tx *vault.Tx, s *snapshot) error {
		if s.defaults[provider] == name {
			s.defaults[provider] = ""
		}
		return tx.Delete(a.connectionKey(provider, name))
	})
	return left, err
}

// Revoke gives up all of a provider: the tokens of every connection and the OAuth
// client, if that was registered on the way, at the provider, and everything that
// is stored. It is no error if there is nothing.
func (a *Auth) Revoke(ctx context.Context, provider string) ([]Left, error) {
	if err := a.checkNames(provider); err != nil {
		return nil, err
	}
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return nil, err
	}
	names := s.names(provider)
	all, unlocks := make([]Left, len(names)), make([]func(), len(names))
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
			all[i], unlocks[i], err = a.revoke(ctx, target{provider, name})
			return err
		})
	}
	if err := revoking.Wait(); err != nil {
		return nil, err
	}
	if client, err := s.client(provider); err == nil && client.RegistrationURL != "" {
		// After the tokens: without a client, nobody could revoke them.
		all = append(all, Left{Remote: a.deregister(ctx, s, provider, client)})
	}
	ctx, cancel := afterwards(ctx)
	defer cancel()
	return all, a.Remove(ctx, provider)
}

// afterwards is for what is done here even if the caller gave up meanwhile.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
}

// revoke asks the provider to take a connection's tokens back. It holds the
// connection's lock until unlock is called, so that no refresh brings back what
// is revoked; one that hangs is not waited for. It is an error if there can be no
// lock: then nothing could be deleted either.
func (a *Auth) revoke(ctx context.Context, t target) (Left, func(), error) {
	waiting, cancel := context.WithTimeout(ctx, leaveWait)
	unlock, err := a.lock(waiting, t)
	cancel()
	if errors.Is(err, ErrBusy) {
		unlock, err = func() {}, nil
	}
	if err != nil {
		return Left{}, nil, err
	}
	return Left{Connection: t.connection, Remote: a.revokeTokens(ctx, t)}, unlock, nil
}

// revokeTokens is what the provider says.
func (a *Auth) revokeTokens(ctx context.Context, t target) error {
	c, client, err := a.current(ctx, t)
	if err != nil {
		return err
	}
	config, err := a.leaving(c, client)
	if err != nil {
		return err
	}
	access := c.AccessToken
	if !c.ExpiresAt.IsZero() && !a.now().Before(c.ExpiresAt) && !c.RefreshToken.IsZero() {
		access = secret.String{} // it has ended by itself
	}
	asking, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	return config.Revoke(asking, access, c.RefreshToken)
}

// leaving is what the protocol needs to revoke a connection's tokens.
func (a *Auth) leaving(c Connection, client flows.Client) (*flows.Config, error) {
	if c.AccessToken.IsZero() && c.RefreshToken.IsZero() {
		return nil, flows.ErrNoRevocation
	}
	d, err := a.definition(c.Provider)
	if err != nil {
		return nil, err
	}
	config, reason := a.config(d, c, client)
	if reason != "" || revocationURL(d) != c.RevocationURL {
		return nil, ErrNotAsked
	}
	return config, nil
}

func revocationURL(d *providers.Definition) string {
	if d.OAuth == nil || d.OAuth.Revocation == nil {
		return ""
	}
	return d.OAuth.Revocation.URL
}

// deregister deletes a client where it was registered. Its address is the one
// that registration gave, so the definition has no say in where this goes.
func (a *Auth) deregister(ctx context.Context, s *snapshot, provider string, client flows.Client) error {
	d, err := a.definition(provider)
	if err != nil {
		return err
	}
	config := &flows.Config{Definition: d, Client: client, HTTP: a.HTTP, Now: a.Now}
	for _, c := range s.connections {
		if c.ClientID == client.ID {
			config.Values = c.Values()
		}
	}
	asking, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	return config.Deregister(asking)
}

// Remove deletes all that is stored of a provider: connections, client
// credentials and default. The provider is not contacted. It is no error if
// there is nothing.
func (a *Auth) Remove(ctx context.Context, provider string) error {
	if err := a.checkNames(provider); err != nil {
		return err
	}
	err := a.Vault.Update(ctx, func(tx *vault.Tx) error {
		records, err := tx.List(a.providerPrefix(provider))
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := tx.Delete(r.Key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.dropCache()
	return nil
}
