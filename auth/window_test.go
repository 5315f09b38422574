package auth_test

import (
	"math"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
)

func TestDueAt(t *testing.T) {
	end := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		life   time.Duration
		window time.Duration
	}{
		{8 * time.Hour, 300 * time.Second},
		{time.Hour, 300 * time.Second},
		{50 * time.Minute, 300 * time.Second},
		{49 * time.Minute, 294 * time.Second},
		{5 * time.Minute, 30 * time.Second}, // with a fixed window it would be refreshed on every request
		{10 * time.Second, time.Second},
		{-time.Hour, 300 * time.Second}, // the clock was put back
	} {
		first, last := end, time.Time{}
		for _, mark := range []uint64{0, 1, 12345678901, math.MaxUint64, 1 << 63, 987654321987654321, uint64(test.window / 4)} {
			due := auth.DueAt(end.Add(-test.life), end, mark)
			if due.Before(first) {
				first = due
			}
			if due.After(last) {
				last = due
			}
			if again := auth.DueAt(end.Add(-test.life), end, mark); !again.Equal(due) {
				t.Errorf("life of %v: due at %v, then at %v", test.life, due, again)
			}
		}
		if got := end.Sub(first); got != test.window {
			t.Errorf("life of %v: window of %v, want %v", test.life, got, test.window)
		}
		if spread := last.Sub(first); spread != test.window/4 {
			t.Errorf("life of %v: processes start within %v, want %v", test.life, spread, test.window/4)
		}
	}
	if due := auth.DueAt(end, time.Time{}, 7); !due.IsZero() {
		t.Errorf("a token without an expiry is due at %v", due)
	}
	if due := auth.DueAt(time.Time{}, end, 0); end.Sub(due) != 300*time.Second {
		t.Errorf("a token of unknown life is due %v before its expiry", end.Sub(due))
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range []time.Duration{1: time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second, 100: 30 * time.Second} {
		if want == 0 {
			continue
		}
		for range 20 {
			if got := auth.Backoff(failures, 0); got > want || got < want-want/5 || got < time.Second {
				t.Errorf("%d failures: %v, want about %v", failures, got, want)
			}
		}
	}
	if got := auth.Backoff(1, 90*time.Second); got != 90*time.Second {
		t.Errorf("Retry-After of 90 s: wait %v", got)
	}
	if got := auth.Backoff(1, 24*time.Hour); got != 10*time.Minute {
		t.Errorf("Retry-After of a day: wait %v", got)
	}
	if got := auth.Backoff(10, time.Second); got < 24*time.Second {
		t.Errorf("a short Retry-After reduces the wait to %v", got)
	}
}
