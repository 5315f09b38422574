package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// Transfer says which connection another profile gets.
type Transfer struct {
	Provider   string
	Connection string // if empty, the one that is used where none is named
	To         *Auth  // the other profile; or the same, for another name
	As         string // its name there; if empty, the same
	Force      bool   // replace a connection of that name
}

// Copy gives a connection to another profile as well, with the OAuth client that
// it was obtained with. It becomes the default there if it is the provider's first.
//
// One with a refresh token is refused with [ErrOneHolder]: each refresh replaces
// the token, and who then comes with the old one is taken for a thief, so that the
// provider ends both (RFC 9700 section 4.14.2).
func (a *Auth) Copy(ctx context.Context, t Transfer) (Connection, error) {
	s, c, err := a.outgoing(ctx, t)
	if err != nil {
		return Connection{}, err
	}
	if c.asksAgain() && c.Renewable(a.now()) {
		// The copy gets a token of its own: one that both had would end for both with
		// the logout of one.
		c.AccessToken, c.ExpiresAt = secret.String{}, time.Time{}
		c.RefreshToken, c.RefreshExpiresAt = secret.String{}, time.Time{}
		c.RefreshStarted, c.RefreshAttempts = time.Time{}, 0
	}
	if !c.RefreshToken.IsZero() {
		return Connection{}, fmt.Errorf("copy %s: %w", describe(c.Provider, c.Name), ErrOneHolder)
	}
	client, err := a.outgoingClient(s, c)
	if err != nil {
		return Connection{}, err
	}
	return t.To.receive(ctx, t.named(c), unmanaged(client), t.Force, false)
}

// Move gives a connection to another profile, with the OAuth client that it was
// obtained with, and deletes it here, where the default is as after [Auth.Logout].
// The provider is not contacted. To the same profile it is a new name.
//
// It is written there before it is deleted here. If that is interrupted, the
// connection is in both profiles; the same Move again finishes it, also if it was
// refreshed there meanwhile. The error is a [*MoveError] then.
func (a *Auth) Move(ctx context.Context, t Transfer) (Connection, error) {
	_, c, err := a.outgoing(ctx, t)
	if err != nil {
		return Connection{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	unlock, err := a.lock(waiting, target{c.Provider, c.Name})
	if err != nil {
		return Connection{}, err
	}
	defer unlock()
	t.Connection = c.Name
	s, c, err := a.outgoing(ctx, t) // as the last refresh left it
	if err != nil {
		return Connection{}, err
	}
	if t.within(a) {
		return a.rename(ctx, c, t)
	}
	client, err := a.outgoingClient(s, c)
	if err != nil {
		return Connection{}, err
	}
	if len(s.names(c.Provider)) > 1 {
		client = unmanaged(client) // the others stay, and need it
	}
	next := t.named(c)
	if !c.RefreshToken.IsZero() {
		next.movedFrom = fingerprint(c.RefreshToken)
	}
	next, err = t.To.receive(ctx, next, client, t.Force, true)
	if err != nil {
		return Connection{}, err
	}
	ctx, done := afterwards(ctx)
	defer done()
	if err := a.release(ctx, c, client); err != nil {
		return next, &MoveError{Provider: c.Provider, Connection: c.Name, From: a.Profile, To: t.To.Profile, Err: err}
	}
	return next, nil
}

// named is the connection under its name in the other profile.
func (t Transfer) named(c Connection) Connection {
	c.Name = cmp.Or(t.As, c.Name)
	return c
}

func (t Transfer) within(a *Auth) bool { return t.To.Vault.ID() == a.Vault.ID() }

// outgoing reads the connection that is meant.
func (a *Auth) outgoing(ctx context.Context, t Transfer) (*snapshot, Connection, error) {
	s, err := a.view(ctx, a.providerPrefix(t.Provider))
	if err != nil {
		return nil, Connection{}, err
	}
	c, err := s.find(t.Provider, t.Connection)
	if err == nil && t.within(a) && t.named(c).Name == c.Name {
		err = &ConnectedError{c.Provider, c.Name} // whatever Force says
	}
	return s, c, err
}

// outgoingClient is the stored client that a connection was obtained with. It is
// zero if none is needed.
func (a *Auth) outgoingClient(s *snapshot, c Connection) (flows.Client, error) {
	if c.AuthType == providers.AuthAPIKey {
		return flows.Client{}, nil
	}
	d, err := a.definition(c.Provider)
	if err != nil {
		return flows.Client{}, err
	}
	client, err := s.client(c.Provider)
	if err != nil {
		return flows.Client{}, err
	}
	if _, ok := clientOf(d, c, client); !ok {
		return flows.Client{}, &LoginRequiredError{Provider: c.Provider, Connection: c.Name, Reason: ReasonClient}
	}
	if client.ID != c.ClientID {
		return flows.Client{}, nil
	}
	return client, nil
}

// unmanaged is a client without the means to delete it at the provider. One
// profile has those, so that revoking all there is in another leaves it alive.
func unmanaged(client flows.Client) flows.Client {
	client.RegistrationURL, client.RegistrationToken = "", secret.String{}
	return client
}

// receive stores a connection of another profile. One that came before is no
// obstacle to a move, and is not replaced: it may have been refreshed since.
func (a *Auth) receive(ctx context.Context, c Connection, client flows.Client, force, move bool) (Connection, error) {
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	d, err := a.definition(c.Provider)
	if err != nil {
		return Connection{}, err
	}
	if err := Check(d, c); err != nil {
		return Connection{}, err
	}
	record, err := c.record(a.Profile)
	if err != nil {
		return Connection{}, err
	}
	err = a.update(ctx, c.Provider, func(tx *vault.Tx, s *snapshot) error {
		if there, err := s.find(c.Provider, c.Name); move && err == nil && there.cameFrom(c) {
			c = there
			return nil
		}
		if err := a.putConnection(tx, s, &c, record, force); err != nil {
			return err
		}
		return a.putClientFor(tx, s, d, c, client)
	})
	if err != nil {
		return Connection{}, err
	}
	return c, nil
}

// putClientFor stores the client that comes with a connection, unless it is there.
// Another in its place is the other connections'.
func (a *Auth) putClientFor(tx *vault.Tx, s *snapshot, d *providers.Definition, c Connection, client flows.Client) error {
	if c.AuthType == providers.AuthAPIKey {
		return nil
	}
	own, err := s.client(c.Provider)
	if err != nil {
		return err
	}
	if _, ok := clientOf(d, c, own); !ok {
		return &ClientError{Provider: c.Provider, Connection: c.Name, Profile: a.Profile}
	}
	if client.ID == "" || own.ID != "" && client.RegistrationURL == "" {
		return nil
	}
	return a.putClient(tx, c.Provider, client)
}

// release deletes what was moved away, and with the provider's last connection a
// client that had been registered for it.
func (a *Auth) release(ctx context.Context, c Connection, client flows.Client) error {
	return a.update(ctx, c.Provider, func(tx *vault.Tx, s *snapshot) error {
		found, err := s.find(c.Provider, c.Name)
		if errors.Is(err, ErrLoginRequired) {
			return nil // a logout came first
		}
		if err != nil || !found.same(c) {
			return errReplaced
		}
		if client.RegistrationURL != "" && len(s.names(c.Provider)) == 1 {
			if err := tx.Delete(a.clientKey(c.Provider)); err != nil {
				return err
			}
		}
		if found.Default {
			s.defaults[c.Provider] = ""
		}
		return tx.Delete(a.connectionKey(c.Provider, c.Name))
	})
}

// rename gives a connection another name. A default stays the default.
func (a *Auth) rename(ctx context.Context, c Connection, t Transfer) (Connection, error) {
	next := t.named(c)
	if err := a.checkNames(next.Provider, next.Name); err != nil {
		return Connection{}, err
	}
	record, err := next.record(a.Profile)
	if err != nil {
		return Connection{}, err
	}
	err = a.update(ctx, c.Provider, func(tx *vault.Tx, s *snapshot) error {
		found, err := s.find(c.Provider, c.Name)
		switch {
		case err != nil:
			return err
		case !found.same(c):
			return errReplaced
		}
		if found.Default {
			s.defaults[next.Provider] = next.Name
		}
		if err := tx.Delete(a.connectionKey(c.Provider, c.Name)); err != nil {
			return err
		}
		return a.putConnection(tx, s, &next, record, t.Force)
	})
	if err != nil {
		return Connection{}, err
	}
	return next, nil
}

// cameFrom reports whether this is what an earlier move made of the connection that
// now comes. Its token may be a later one: replaced by what comes, it would be the
// end of both.
func (c Connection) cameFrom(coming Connection) bool {
	if coming.RefreshToken.IsZero() {
		return c.same(coming)
	}
	return c.RefreshToken.Equal(coming.RefreshToken) || c.movedFrom == coming.movedFrom
}

// same reports whether two connections differ in nothing but name and profile.
func (c Connection) same(other Connection) bool {
	other.Name = c.Name
	one, err := c.record("")
	two, otherErr := other.record("")
	return err == nil && otherErr == nil && bytes.Equal(one, two)
}

// fingerprint is what a refresh token is known by once it has been replaced.
func fingerprint(token secret.String) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}
