package auth

import (
	"math/rand/v2"
	"time"
)

// Times of keeping tokens fresh.
const (
	// maxWindow is how long before its end a token is renewed at the earliest; a
	// short-lived one is renewed in the last tenth of its life.
	maxWindow = 300 * time.Second
	// refreshTimeout bounds the provider's answer to a refresh. It is generous,
	// since giving up on a request that was sent may cost the refresh token.
	refreshTimeout = 20 * time.Second
	// lockTimeout bounds the wait for another process's refresh of the same
	// connection.
	lockTimeout = 2 * refreshTimeout
	// recordTimeout bounds one transaction of a refresh with the vault.
	recordTimeout = 10 * time.Second
	// Back-off after a failure that may pass.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// maxRetryAfter bounds what a provider can ask for.
	maxRetryAfter = 10 * time.Minute
	// forcedInterval is the time between refreshes of one connection that only an
	// upstream's 401 asks for: whoever can provoke one must not keep the token
	// endpoint busy.
	forcedInterval = time.Minute
	// recheck is how often the background looks at the clock: timers stand still
	// while a machine sleeps, and the wall clock does not.
	recheck = 30 * time.Second
)

// dueAt is from when on a token with that life is renewed, or zero for one
// without an end. Processes that hold the same token do not all start at once:
// each waits for a part of a quarter of the window, which is as random as the
// process's mark of the token.
func dueAt(obtained, expires time.Time, mark uint64) time.Time {
	if expires.IsZero() {
		return time.Time{}
	}
	window := maxWindow
	if life := expires.Sub(obtained); !obtained.IsZero() && life > 0 {
		window = min(window, life/10)
	}
	wait := time.Duration(mark % uint64(window/4+1))
	return expires.Add(wait - window)
}

// backoff is the wait after a number of failures in a row, at least as long as
// the provider asked for.
func backoff(failures int, retryAfter time.Duration) time.Duration {
	wait := maxBackoff
	if failures < 6 {
		wait = min(minBackoff<<(failures-1), maxBackoff)
	}
	return max(wait-jitter(wait/5), minBackoff, min(retryAfter, maxRetryAfter))
}

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
