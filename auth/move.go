package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// Transfer describes a copy or a move of a connection to another profile.
type Transfer struct {
	Provider   string
	Connection string // if empty, the default connection
	To         *Auth  // the other profile, or the same one to give the connection another name
	As         string // the name in that profile; if empty, the same name
	Force      bool   // replace an existing connection
}

// Copy copies a connection to another profile, with the OAuth client that obtained it.
// A provider's first connection in that profile becomes its default.
//
// A connection with a refresh token is refused with [ErrOneHolder]. Each refresh
// replaces the token, and the provider takes the second use of an old one for theft and
// revokes both copies (RFC 9700 section 4.14.2).
func (a *Auth) Copy(ctx context.Context, t Transfer) (Connection, error) {
	s, c, err := a.transferred(ctx, t)
	if err != nil {
		return Connection{}, err
	}
	if c.repeatsGrant() && c.Renewable(a.now()) {
		// The copy obtains a separate token. A shared one would end for both when one
		// of them is logged out.
		c.AccessToken, c.ExpiresAt = secret.String{}, time.Time{}
		c.RefreshToken, c.RefreshExpiresAt = secret.String{}, time.Time{}
		c.RefreshStarted, c.RefreshAttempts = time.Time{}, 0
	}
	if !c.RefreshToken.IsZero() {
		return Connection{}, fmt.Errorf("copy %s: %w", fullName(c.Provider, c.Name), ErrOneHolder)
	}
	client, err := a.transferredClient(s, c)
	if err != nil {
		return Connection{}, err
	}
	return t.To.receive(ctx, t.renamed(c), unmanaged(client), t.Force, false)
}

// Move moves a connection to another profile, with the OAuth client that obtained it.
// The default of this profile is then set as after [Auth.Logout]. The provider is not
// contacted. A move within one profile gives the connection another name.
//
// The connection is written there before it is deleted here. If the move is interrupted
// in between, the error is a [*MoveError], and the connection is in both profiles. The
// same Move completes it, even if the connection was refreshed there since.
func (a *Auth) Move(ctx context.Context, t Transfer) (Connection, error) {
	_, c, err := a.transferred(ctx, t)
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
	s, c, err := a.transferred(ctx, t) // again: a refresh may have changed it before the lock was held
	if err != nil {
		return Connection{}, err
	}
	if t.within(a) {
		return a.rename(ctx, c, t)
	}
	client, err := a.transferredClient(s, c)
	if err != nil {
		return Connection{}, err
	}
	if s.needs(client, c) {
		client = unmanaged(client)
	}
	next := t.renamed(c)
	if !c.RefreshToken.IsZero() {
		next.movedFrom = fingerprint(c.RefreshToken)
	}
	next, err = t.To.receive(ctx, next, client, t.Force, true)
	if err != nil {
		return Connection{}, err
	}
	ctx, done := detached(ctx)
	defer done()
	if err := a.deleteMoved(ctx, c, client); err != nil {
		return next, &MoveError{Provider: c.Provider, Connection: c.Name, From: a.Profile, To: t.To.Profile, Err: err}
	}
	return next, nil
}

// renamed returns the connection with its name in the other profile.
func (t Transfer) renamed(c Connection) Connection {
	c.Name = cmp.Or(t.As, c.Name)
	return c
}

// within reports whether the transfer stays in a's profile.
func (t Transfer) within(a *Auth) bool { return t.To.Vault.ID() == a.Vault.ID() }

// transferred reads the connection to copy or move.
func (a *Auth) transferred(ctx context.Context, t Transfer) (*snapshot, Connection, error) {
	s, err := a.view(ctx, a.providerPrefix(t.Provider))
	if err != nil {
		return nil, Connection{}, err
	}
	c, err := s.find(t.Provider, t.Connection)
	if err == nil && t.within(a) && t.renamed(c).Name == c.Name {
		err = &ConnectedError{Provider: c.Provider, Connection: c.Name} // even with Force
	}
	return s, c, err
}

// transferredClient returns the stored client that obtained a connection. It is zero if
// the connection needs none.
func (a *Auth) transferredClient(s *snapshot, c Connection) (flows.Client, error) {
	if c.AuthType == providers.AuthAPIKey {
		return flows.Client{}, nil
	}
	d, _, err := a.Definition(c)
	if err != nil {
		return flows.Client{}, err
	}
	clients, err := s.clientsOf(c.Provider)
	if err != nil {
		return flows.Client{}, err
	}
	if _, ok := clientOf(d, c, clients); !ok {
		return flows.Client{}, &LoginRequiredError{Provider: c.Provider, Connection: c.Name, Reason: ReasonClient}
	}
	client, _ := c.storedClient(clients)
	return client, nil
}

// needs reports whether a connection other than c uses c's client. One that cannot be
// read may use it.
func (s *snapshot) needs(client flows.Client, c Connection) bool {
	return slices.ContainsFunc(s.connections, func(other Connection) bool {
		return other.Provider == c.Provider && other.Name != c.Name && other.ClientID == client.ID
	}) || slices.ContainsFunc(s.unreadable, func(u unreadable) bool { return u.provider == c.Provider })
}

// unmanaged returns a client without the means to delete it at the provider. Only one
// profile has them, so that removing the provider from another profile does not delete
// a client that is still in use.
func unmanaged(client flows.Client) flows.Client {
	client.RegistrationURL, client.RegistrationToken = "", secret.String{}
	return client
}

// receive stores a connection of another profile. If an interrupted move has already
// stored it, a move succeeds and does not replace it, because it may have been refreshed
// since.
func (a *Auth) receive(ctx context.Context, c Connection, client flows.Client, force, move bool) (Connection, error) {
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	d, _, err := a.Definition(c)
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
		if stored, err := s.find(c.Provider, c.Name); move && err == nil && stored.movedEarlier(c) {
			c = stored
			return nil
		}
		if err := a.putConnection(tx, s, &c, record, force); err != nil {
			return err
		}
		return a.receiveClient(tx, s, c, client)
	})
	if err != nil {
		return Connection{}, err
	}
	return c, nil
}

// receiveClient stores the client of a received connection, unless the profile has it
// already and would lose the means to delete it at the provider.
func (a *Auth) receiveClient(tx *vault.Tx, s *snapshot, c Connection, client flows.Client) error {
	if client.ID == "" {
		return nil
	}
	clients, err := s.clientsOf(c.Provider)
	if err != nil {
		return err
	}
	if stored, ok := c.storedClient(clients); ok && stored.Issuer == client.Issuer && client.RegistrationURL == "" {
		return nil
	}
	return a.putClient(tx, c.Provider, client)
}

// deleteMoved deletes a connection that was moved to another profile, and the client
// that was registered for it if no other connection uses it.
func (a *Auth) deleteMoved(ctx context.Context, c Connection, client flows.Client) error {
	return a.update(ctx, c.Provider, func(tx *vault.Tx, s *snapshot) error {
		found, err := s.find(c.Provider, c.Name)
		if _, missing := errors.AsType[*LoginRequiredError](err); missing {
			return nil // a logout has deleted it
		}
		if err != nil || !found.sameExceptName(c) {
			return errReplaced
		}
		if client.RegistrationURL != "" && !s.needs(client, c) {
			if err := a.deleteClient(tx, c.Provider, client); err != nil {
				return err
			}
		}
		if found.Default {
			s.defaults[c.Provider] = ""
		}
		return tx.Delete(a.connectionKey(c.Provider, c.Name))
	})
}

// rename gives a connection another name in its profile. A default connection stays the
// default.
func (a *Auth) rename(ctx context.Context, c Connection, t Transfer) (Connection, error) {
	next := t.renamed(c)
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
		case !found.sameExceptName(c):
			return errReplaced
		}
		if found.Default {
			s.defaults[next.Provider] = next.Name
		}
		if err := a.renamePreferences(tx, c.Provider, c.Name, next.Name); err != nil {
			return err
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

// movedEarlier reports whether c is what an earlier, interrupted move made of the
// incoming connection. Its refresh token may be newer, and replacing it by the old one
// would make the provider revoke both.
func (c Connection) movedEarlier(incoming Connection) bool {
	if incoming.RefreshToken.IsZero() {
		return c.sameExceptName(incoming)
	}
	return c.RefreshToken.Equal(incoming.RefreshToken) || c.movedFrom == incoming.movedFrom
}

// sameExceptName reports whether two connections differ in nothing but name and
// profile.
func (c Connection) sameExceptName(other Connection) bool {
	other.Name = c.Name
	one, err := c.record("")
	two, otherErr := other.record("")
	return err == nil && otherErr == nil && bytes.Equal(one, two)
}

// fingerprint identifies a refresh token after it has been replaced.
func fingerprint(token secret.String) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}
