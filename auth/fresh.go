package auth

import (
	"context"
	"time"
)

// KeepFresh renews tokens shortly before they run out, so that requests rarely
// wait for one, until ctx is done. It does so for the connections that wanted
// approves, of those that are cached; after a failure, only requests try one that
// has run out.
func (a *Auth) KeepFresh(ctx context.Context, wanted func(provider, connection string) bool) {
	a.mu.Lock()
	wake := make(chan struct{}, 1)
	a.wake = wake
	a.mu.Unlock()
	for {
		timer := time.NewTimer(a.renewDue(wanted))
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

// renewDue begins what is due, and returns when to look again.
func (a *Auth) renewDue(wanted func(provider, connection string) bool) time.Duration {
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
		if unavailable, ok := a.tryStart(e.keeper); !ok {
			next = min(next, unavailable)
		}
	}
	return next
}

func (a *Auth) tryStart(k *keeper) (wait time.Duration, ok bool) {
	_, err := a.start(k, 0)
	if err == nil {
		return 0, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return max(k.wait(a.now()), minBackoff), false
}

func (k *keeper) failing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failures > 0
}

// notify tells KeepFresh to look again.
func (a *Auth) notify() {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case a.wake <- struct{}{}: // a nil channel takes nothing
	default:
	}
}

// Renew is told that a service has refused the credential with that mark. It
// reports whether another is applied from now on: one that was stored meanwhile,
// or a new one, for which it waits until ctx is done. Services that refuse
// everything, and whoever can make them, cause one refresh of a connection per
// minute at most.
func (a *Auth) Renew(ctx context.Context, provider, connection string, mark uint64) bool {
	t := target{provider, connection}
	e := a.cached().entries[t]
	if mark == 0 || e == nil || e.missing != nil || e.mark != mark {
		return mark != 0 && e != nil && e.missing == nil
	}
	f := a.force(e, mark)
	if f == nil || f.join(ctx) != nil {
		return false
	}
	e = a.cached().entries[t]
	return e != nil && e.missing == nil && e.mark != mark
}

// force begins a refresh of a credential that was refused, or joins the one under
// way. It returns nil if it is too early for another.
func (a *Auth) force(e *entry, mark uint64) *flight {
	k, now := e.keeper, a.now()
	k.mu.Lock()
	since := now.Sub(k.forcedAt)
	early := since >= 0 && since < forcedInterval || !e.forcible(now)
	if early && k.flight == nil {
		k.mu.Unlock()
		return nil
	}
	k.forcedAt = wall(now)
	k.mu.Unlock()
	f, err := a.start(k, mark)
	if err != nil {
		return nil
	}
	return f
}

// Fresh is a connection whose credential can be used at the time of the call,
// after a refresh if one is due. The errors are those of [Auth.Apply].
func (a *Auth) Fresh(ctx context.Context, provider, connection string) (Connection, error) {
	if _, err := a.entry(ctx, target{provider, connection}); err != nil {
		return Connection{}, err
	}
	return a.Connection(ctx, provider, connection)
}
