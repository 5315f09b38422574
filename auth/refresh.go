package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// Refresh describes an attempt to refresh a token, for [Auth.OnRefresh].
type Refresh struct {
	Provider   string
	Connection string
	Outcome    string // one of the Refresh constants
	Code       string // the provider's error code, such as invalid_grant
	Forced     bool   // because a service refused the token
	Duration   time.Duration
	Err        error // nil if the token was refreshed; contains no secret
}

// The values of [Refresh.Outcome].
const (
	RefreshDone      = "refreshed"
	RefreshInvalid   = "invalid"   // refused permanently: a login is required
	RefreshTransient = "transient" // failed for now; the refresh token is still good
	RefreshAmbiguous = "ambiguous" // sent, but no answer says whether the refresh token is used up
)

// RefreshOutcomes lists all values of [Refresh.Outcome].
func RefreshOutcomes() []string {
	return []string{RefreshDone, RefreshInvalid, RefreshTransient, RefreshAmbiguous}
}

// Error codes for failures that the provider does not report itself.
const (
	codeNoAnswer    = "no_answer"    // the answer was lost twice, so the refresh token counts as lost
	codeOtherIssuer = "other_issuer" // discovery now returns another authorization server
)

// maxAttempts is how often a refresh token is sent if every answer is lost. If the
// provider has replaced it, the new one is lost anyway, so a second attempt costs
// nothing. More attempts would look like abuse.
const maxAttempts = 2

// refresh refreshes a connection's token if that is still necessary. It takes the lock
// that all processes share, and then reads the record again. If refused is not 0, a
// refresh is necessary if the token still is the refused one with that mark; otherwise,
// if it is due.
//
// The order prevents the loss of a refresh token: the attempt is on disk before it is
// sent, and its outcome is on disk before it is used.
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
	c, clients, err := a.readConnection(ctx, k.target)
	if err != nil {
		return err
	}
	e, err := a.compileConnection(c, clients)
	if err != nil {
		return err
	}
	if !e.needsRefresh(refused, a.now()) {
		a.replaceEntry(e)
		return nil
	}
	config, blocked := a.config(e.definition, c, clients)
	if blocked != "" { // cannot happen: the entry would not be renewable
		return errors.New(blocked)
	}
	if c.RefreshAttempts >= maxAttempts {
		return a.save(k, change{c, c.markedInvalid(codeNoAnswer, a.now())})
	}
	return a.attempt(k, e.definition, config, c, refused != 0)
}

// needsRefresh reports whether a refresh is necessary. The entry was made from the
// record just now.
func (e *entry) needsRefresh(refused uint64, now time.Time) bool {
	switch {
	case e.loginErr != nil || e.keeper == nil:
		return false
	case refused != 0:
		return e.mark == refused && e.oldEnoughToForce(now)
	}
	return !e.due.IsZero() && !now.Before(e.due)
}

// attempt sends a refresh to the token endpoint and stores its outcome. The caller
// holds the connection's lock.
func (a *Auth) attempt(k *keeper, d *providers.Definition, config *flows.Config, c Connection, forced bool) error {
	begun := a.now()
	noted := c
	noted.RefreshStarted, noted.RefreshAttempts = wallTime(begun), c.RefreshAttempts+1
	switch err := a.write(change{c, noted}); {
	case errors.Is(err, errReplaced):
		return a.reloadConnection(k.target)
	case err != nil:
		return err
	}
	if d.OAuth.RefreshInvalidatesAccess {
		// From here on the old token may be invalid, so requests must wait.
		if err := a.reloadConnection(k.target); err != nil {
			return err
		}
	}
	next, err := a.requestNext(d, config, noted)
	now := a.now()
	r := Refresh{Provider: c.Provider, Connection: c.Name, Outcome: outcomeOf(d, c, err), Code: errorCode(err), Forced: forced, Duration: now.Sub(begun), Err: err}
	switch r.Outcome {
	case RefreshDone:
	case RefreshInvalid:
		if errors.Is(err, flows.ErrClientIssuer) {
			r.Code = codeOtherIssuer
		}
		next, err = c.markedInvalid(r.Code, now), nil
	case RefreshTransient:
		next, err = c, withRetryAfter(err) // as if there had been no attempt
	case RefreshAmbiguous:
		next, err = noted, withRetryAfter(err)
		if noted.RefreshAttempts >= maxAttempts {
			r.Outcome, r.Code = RefreshInvalid, codeNoAnswer
			next, err = c.markedInvalid(codeNoAnswer, now), nil
		} else if !d.OAuth.RefreshInvalidatesAccess && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)) {
			err = nil // the old token is used as long as it is valid
		}
	}
	err = errors.Join(a.save(k, change{noted, next}), err)
	if a.OnRefresh != nil {
		a.OnRefresh(r)
	}
	return err
}

// requestNext requests a token and returns the connection with it. It handles what
// another machine sent, so a panic is not the end of the process: it counts as a lost
// answer.
func (a *Auth) requestNext(d *providers.Definition, config *flows.Config, c Connection) (next Connection, err error) {
	defer func() {
		if v := recover(); v != nil { // v itself may be text of the answer
			next, err = c, &flows.TokenError{Kind: flows.Ambiguous, Err: fmt.Errorf("internal error: panic of type %T\n%s", v, debug.Stack())}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	request := a.grant
	if request == nil {
		request = requestToken
	}
	token, err := request(ctx, config, c)
	if err != nil {
		return c, err
	}
	now := a.now()
	next, err = c.withToken(d, token, now)
	if end := next.ExpiresAt; err == nil && !end.IsZero() && !now.Before(end) {
		// The clocks differ, or the lifetime in the answer is 0: without a break, each request
		// would refresh the token.
		next.ExpiresAt = wallTime(now.Add(forcedInterval))
	}
	return next, err
}

// outcomeOf classifies an error by what it means for the refresh token.
func outcomeOf(d *providers.Definition, c Connection, err error) string {
	if err == nil {
		return RefreshDone
	}
	e, isTokenError := errors.AsType[*flows.TokenError](err)
	switch {
	case errors.Is(err, flows.ErrClientIssuer), isTokenError && e.Kind == flows.Permanent:
		return RefreshInvalid
	case !isTokenError, e.Kind == flows.Transient, e.Kind == flows.Protocol && e.Status != 0 && e.Status/100 != 2:
		return RefreshTransient
	case c.repeatsGrant(), d.OAuth.RefreshReusable:
		return RefreshTransient // the request uses nothing up
	}
	return RefreshAmbiguous
}

func withRetryAfter(err error) error {
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		return &retryError{e.RetryAfter, err}
	}
	return &retryError{0, err}
}

// markedInvalid returns the connection after its provider refused the credential.
func (c Connection) markedInvalid(code string, now time.Time) Connection {
	c.Status, c.StatusSince, c.StatusCode = StatusInvalid, wallTime(now), code
	c.RefreshStarted, c.RefreshAttempts = time.Time{}, 0
	return c
}
