package auth

import (
	"math/rand/v2"
	"time"
)

// Timing of refreshes.
const (
	// maxWindow is how long before its expiry a token is refreshed. A token that lives
	// less than ten times as long is refreshed in the last tenth of its life.
	maxWindow = 300 * time.Second
	// refreshTimeout bounds the provider's answer to a refresh. It is long, because a
	// refresh token can be lost if a request that was sent is given up.
	refreshTimeout = 20 * time.Second
	// lockTimeout bounds the wait for another process's refresh of the same connection.
	lockTimeout = 2 * refreshTimeout
	// recordTimeout bounds one transaction of a refresh with the vault.
	recordTimeout = 10 * time.Second
	// minBackoff and maxBackoff bound the wait after a transient failure.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// maxRetryAfter bounds the wait that a provider can ask for.
	maxRetryAfter = 10 * time.Minute
	// forcedInterval is the least time between two refreshes of a connection that only a
	// 401 of the service asks for. A client that can provoke a 401 must not keep the
	// token endpoint busy.
	forcedInterval = time.Minute
	// recheck is how often KeepFresh reads the clock. Timers stop while a machine sleeps;
	// the wall clock does not.
	recheck = 30 * time.Second
)

// dueAt returns when the refresh of a token is due, or zero if the token does not
// expire. Processes that share a token do not all start at once: each waits for a part
// of the first quarter of the window, which it derives from its random mark of the token.
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

// backoff returns the wait after a number of failures in a row. It is at least as long as
// the provider asked for.
func backoff(failures int, retryAfter time.Duration) time.Duration {
	wait := maxBackoff
	if failures < 6 {
		wait = min(minBackoff<<(failures-1), maxBackoff)
	}
	return max(wait-jitter(wait/5), minBackoff, min(retryAfter, maxRetryAfter))
}

// jitter returns a random duration below d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
