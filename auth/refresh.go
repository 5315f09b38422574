package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// Refresh is an attempt to renew a token, for whoever counts and records them.
type Refresh struct {
	Provider   string
	Connection string
	Outcome    string // one of the Refresh constants
	Code       string // what the provider said, as invalid_grant
	Forced     bool   // a service had refused the token
	Duration   time.Duration
	Err        error // nil if it was refreshed; it holds no secret
}

// Outcomes of a [Refresh].
const (
	RefreshDone      = "refreshed"
	RefreshInvalid   = "invalid"   // refused for good: a login is required
	RefreshTransient = "transient" // not to be had now
	RefreshAmbiguous = "ambiguous" // sent, and no answer that tells whether the refresh token is used up
)

// RefreshOutcomes lists all outcomes of a [Refresh].
func RefreshOutcomes() []string {
	return []string{RefreshDone, RefreshInvalid, RefreshTransient, RefreshAmbiguous}
}

// Codes of our own, where it was not the provider who said it.
const (
	codeNoAnswer    = "no_answer"    // twice, so that the refresh token has to be taken for lost
	codeOtherIssuer = "other_issuer" // discovery leads to another authorization server now
)

// maxAttempts is how often a refresh token is sent whose answer is lost each
// time. If the provider has replaced it, nobody holds the new one, so a second
// time costs nothing; more would be abuse.
const maxAttempts = 2

// renew waits for a refresh of what e is a credential of.
func (a *Auth) renew(ctx context.Context, e *entry) error {
	f, err := a.start(e.keeper, 0)
	if err != nil {
		return err
	}
	return f.join(ctx)
}

// refresh renews a connection's token, if that is still to be done: it takes the
// lock that all processes share, and looks at the record first. With a mark it
// is to be done if the token is still the refused one; without, if it is due.
//
// The order is the point of it: the attempt is on the disk before it is made, and
// its outcome before anybody uses it.
func (a *Auth) refresh(ctx context.Context, k *keeper, refused uint64) error {
	waiting, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	unlock, err := a.lock(waiting, k.target)
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.saveUnsaved(k); err != nil {
		return err
	}
	c, client, err := a.current(ctx, k.target)
	if err != nil {
		return err
	}
	e, err := a.compileConnection(c, client)
	if err != nil {
		return err
	}
	if !e.wants(refused, a.now()) {
		a.adopt(e)
		return nil
	}
	config, reason := a.config(e.definition, c, client)
	if reason != "" { // the entry was not renewable then
		return errors.New(reason)
	}
	if c.RefreshAttempts >= maxAttempts {
		return a.save(k, change{c, c.invalid(codeNoAnswer, a.now())})
	}
	return a.attempt(k, e.definition, config, c, refused != 0)
}

// wants reports whether a refresh is to be done, by an entry that was made from
// the record just now.
func (e *entry) wants(refused uint64, now time.Time) bool {
	switch {
	case e.missing != nil || e.keeper == nil:
		return false
	case refused != 0:
		return e.mark == refused && e.forcible(now)
	}
	return !e.due.IsZero() && !now.Before(e.due)
}

// attempt asks the token endpoint. The lock is held.
func (a *Auth) attempt(k *keeper, d *providers.Definition, config *flows.Config, c Connection, forced bool) error {
	begun := a.now()
	noted := c
	noted.RefreshStarted, noted.RefreshAttempts = wall(begun), c.RefreshAttempts+1
	switch err := a.write(change{c, noted}); {
	case errors.Is(err, errReplaced):
		return a.reread(k.target)
	case err != nil:
		return err
	}
	if d.OAuth.RefreshInvalidatesAccess {
		// From here on the old token may be dead, and requests wait.
		if err := a.reread(k.target); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	ask := a.grant
	if ask == nil {
		ask = grant
	}
	token, err := ask(ctx, config, c)
	now := a.now()
	next := noted
	if err == nil {
		next, err = noted.renewed(d, token, now)
		if end := next.ExpiresAt; !end.IsZero() && !now.Before(end) {
			next.ExpiresAt = wall(now.Add(forcedInterval)) // nobody hands out a dead token: the clocks differ
		}
	}
	r := Refresh{Provider: c.Provider, Connection: c.Name, Outcome: outcome(d, c, err), Code: code(err), Forced: forced, Duration: now.Sub(begun), Err: err}
	switch r.Outcome {
	case RefreshDone:
		err = nil
	case RefreshInvalid:
		if errors.Is(err, flows.ErrClientIssuer) {
			r.Code = codeOtherIssuer
		}
		next, err = c.invalid(r.Code, now), nil
	case RefreshTransient:
		next = c // as if it had not been tried
		err = later(err)
	case RefreshAmbiguous:
		if noted.RefreshAttempts >= maxAttempts {
			r.Outcome, r.Code = RefreshInvalid, codeNoAnswer
			next, err = c.invalid(codeNoAnswer, now), nil
		} else if err = later(err); !d.OAuth.RefreshInvalidatesAccess && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)) {
			err = nil // the old token serves for as long as it can
		}
	}
	err = errors.Join(a.save(k, change{noted, next}), err)
	if a.OnRefresh != nil {
		a.OnRefresh(r)
	}
	return err
}

// outcome says what an answer means for the refresh token.
func outcome(d *providers.Definition, c Connection, err error) string {
	if err == nil {
		return RefreshDone
	}
	e, answered := errors.AsType[*flows.TokenError](err)
	switch {
	case errors.Is(err, flows.ErrClientIssuer), answered && e.Kind == flows.Permanent:
		return RefreshInvalid
	case !answered, e.Kind == flows.Transient, e.Kind == flows.Protocol && e.Status != 0 && e.Status/100 != 2:
		return RefreshTransient
	case c.asksAgain(), d.OAuth.RefreshReusable:
		return RefreshTransient // nothing is used up by asking
	}
	return RefreshAmbiguous
}

func later(err error) error {
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		return &laterError{e.RetryAfter, err}
	}
	return &laterError{0, err}
}

// invalid is the connection once its provider does not take it any more.
func (c Connection) invalid(code string, now time.Time) Connection {
	c.Status, c.StatusSince, c.StatusCode = StatusInvalid, wall(now), code
	c.RefreshStarted, c.RefreshAttempts = time.Time{}, 0
	return c
}

// current reads a connection and the client that it was obtained with.
func (a *Auth) current(ctx context.Context, t target) (c Connection, client flows.Client, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	err = a.Vault.View(ctx, func(tx *vault.Tx) error {
		key := a.connectionKey(t.provider, t.connection)
		data, err := tx.Get(key)
		if errors.Is(err, vault.ErrNotFound) {
			c = Connection{Provider: t.provider, Name: t.connection, Status: StatusNotConnected}
			return nil
		}
		if err != nil {
			return err
		}
		if c, err = parseConnection(key, t.provider, t.connection, data); err != nil {
			return err
		}
		client, err = a.getClient(tx, t.provider)
		return err
	})
	return c, client, err
}

// change is a record as it must be found, and as it shall be.
type change struct{ from, to Connection }

// errReplaced says that a record is not the one that was to be changed: a login
// or a logout came first, and its word holds.
var errReplaced = errors.New("the connection was replaced meanwhile")

// write makes a change durable.
func (a *Auth) write(w change) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	record, err := w.to.record(a.Profile)
	if err != nil {
		return err
	}
	key := a.connectionKey(w.to.Provider, w.to.Name)
	err = a.Vault.Update(ctx, func(tx *vault.Tx) error {
		data, err := tx.Get(key)
		if errors.Is(err, vault.ErrNotFound) {
			return errReplaced
		}
		if err != nil {
			return err
		}
		found, err := parseConnection(key, w.to.Provider, w.to.Name, data)
		if err != nil || !found.is(w.from) {
			return errReplaced
		}
		return tx.Put(key, record)
	})
	if err != nil {
		return fmt.Errorf("record the refresh of %s: %w", describe(w.to.Provider, w.to.Name), err)
	}
	return nil
}

// is reports whether two readings are of the same tokens and the same attempt.
func (c Connection) is(other Connection) bool {
	return c.AccessToken.Equal(other.AccessToken) && c.RefreshToken.Equal(other.RefreshToken) && c.Status == other.Status &&
		c.RefreshStarted.Equal(other.RefreshStarted) && c.RefreshAttempts == other.RefreshAttempts
}

// Writing an outcome is tried again for as long as a person might take to notice
// a full disk, with the connection's lock held.
const (
	saveTime = 30 * time.Second
	saveWait = 50 * time.Millisecond
)

// save makes an outcome durable and then has it used. One that cannot be written
// stays in memory, unused, for the next flight to write.
func (a *Auth) save(k *keeper, w change) error {
	until := a.now().Add(saveTime)
	for wait := saveWait; ; wait = min(2*wait, time.Second) {
		err := a.saveOnce(w)
		if err == nil || errors.Is(err, vault.ErrLeftBehind) {
			return err
		}
		if a.now().Add(wait).After(until) {
			k.mu.Lock()
			k.unsaved = &w
			k.mu.Unlock()
			return err
		}
		time.Sleep(wait)
	}
}

// saveOnce has an outcome used also where the error is [vault.ErrLeftBehind].
func (a *Auth) saveOnce(w change) error {
	a.reloading.Lock() // so that no older reading is cached over the outcome
	defer a.reloading.Unlock()
	err := a.write(w)
	if errors.Is(err, errReplaced) {
		err = nil
	}
	if err != nil && !errors.Is(err, vault.ErrLeftBehind) {
		return err
	}
	if err := a.reread(target{w.to.Provider, w.to.Name}); err != nil {
		a.dropCache() // it is on the disk; whoever needs it reads it from there
	}
	return err
}

// saveUnsaved writes what an earlier flight could not.
func (a *Auth) saveUnsaved(k *keeper) error {
	k.mu.Lock()
	w := k.unsaved
	k.mu.Unlock()
	if w == nil {
		return nil
	}
	err := a.saveOnce(*w)
	if err != nil && !errors.Is(err, vault.ErrLeftBehind) {
		return err
	}
	k.mu.Lock()
	k.unsaved = nil
	k.mu.Unlock()
	return err
}

// reread has a connection used as its record is now.
func (a *Auth) reread(t target) error {
	c, client, err := a.current(context.Background(), t)
	if err != nil {
		return err
	}
	e, err := a.compileConnection(c, client)
	if err != nil {
		return err
	}
	a.adopt(e)
	return nil
}
