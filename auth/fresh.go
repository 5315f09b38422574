package auth

import (
	"context"
	"time"
)

// KeepFresh refreshes tokens shortly before they expire, so that requests rarely wait,
// and returns when ctx is done. It serves the cached connections for which wanted
// returns true. After a failure it leaves expired tokens to the requests that need
// them.
func (a *Auth) KeepFresh(ctx context.Context, wanted func(provider, connection string) bool) {
	a.mu.Lock()
	wake := make(chan struct{}, 1)
	a.wake = wake
	a.mu.Unlock()
	for {
		timer := time.NewTimer(a.refreshDue(wanted))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// refreshDue starts the refreshes that are due, and returns when to look again.
func (a *Auth) refreshDue(wanted func(provider, connection string) bool) time.Duration {
	next, now := recheck, a.now()
	for t, e := range a.cached().entries {
		if t != e.target || e.due.IsZero() || !wanted(t.provider, t.connection) {
			continue
		}
		if wait := e.due.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		if !now.Before(e.expires) && e.keeper.failing() {
			continue
		}
		if _, err := a.startRefresh(e.keeper, 0); err != nil {
			next = min(next, max(e.keeper.retryIn(a.now()), minBackoff))
		}
	}
	return next
}

// wakeKeepFresh makes KeepFresh look at the cache again.
func (a *Auth) wakeKeepFresh() {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.wake <- struct{}{}: // a send to a nil channel is never selected
	default:
	}
}

// Renew handles a service's refusal of the credential with the given mark. It reports
// whether another credential is applied from now on: one that was stored since, or a
// new one, for which it waits until ctx is done. It refreshes a connection at most once
// a minute, so that a service that refuses everything, or a client that provokes
// refusals, cannot keep the token endpoint busy.
func (a *Auth) Renew(ctx context.Context, provider, connection string, mark uint64) bool {
	t := target{provider, connection}
	e := a.cached().entries[t]
	if mark == 0 || e == nil || e.loginErr != nil || e.mark != mark {
		return mark != 0 && e != nil && e.loginErr == nil
	}
	f := a.forceRefresh(e, mark)
	if f == nil || f.wait(ctx) != nil {
		return false
	}
	e = a.cached().entries[t]
	return e != nil && e.loginErr == nil && e.mark != mark
}

// forceRefresh starts a refresh of a credential that was refused, or joins the one in
// progress. It returns nil if it is too early for another.
func (a *Auth) forceRefresh(e *entry, mark uint64) *flight {
	k, now := e.keeper, a.now()
	k.mu.Lock()
	since := now.Sub(k.forcedAt)
	early := since >= 0 && since < forcedInterval || !e.oldEnoughToForce(now)
	if early && k.flight == nil {
		k.mu.Unlock()
		return nil
	}
	k.forcedAt = wallTime(now)
	k.mu.Unlock()
	f, err := a.startRefresh(k, mark)
	if err != nil {
		return nil
	}
	return f
}

// Fresh returns a connection whose credential can be used at the time of the call,
// after a refresh if one is due. The errors are those of [Auth.ApplyMarked].
func (a *Auth) Fresh(ctx context.Context, provider, connection string) (Connection, error) {
	if _, err := a.entry(ctx, target{provider, connection}); err != nil {
		return Connection{}, err
	}
	return a.Connection(ctx, provider, connection)
}

// FreshAfterRefusal is [Auth.Fresh] after the service refused the credential of c. The
// result has the same credential as c if it cannot be refreshed, or not yet: the limit of
// [Auth.Renew] applies here too.
func (a *Auth) FreshAfterRefusal(ctx context.Context, c Connection) (Connection, error) {
	e, mark := a.cached().entries[target{c.Provider, c.Name}], a.mark(c.AccessToken)
	if e != nil && e.loginErr == nil && e.mark == mark {
		if f := a.forceRefresh(e, mark); f != nil {
			if err := f.wait(ctx); err != nil {
				return c, err
			}
		}
	}
	return a.Fresh(ctx, c.Provider, c.Name)
}
