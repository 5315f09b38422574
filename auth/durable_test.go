package auth_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
)

func TestNewTokenIsOnDiskBeforeItIsUsed(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, reader := p.open(t), p.open(t)
	t.Cleanup(a.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	checked := false
	network := roundTripper(func(r *http.Request) (*http.Response, error) {
		c := stored(t, reader, "live")
		if r.Header.Get("Authorization") != "Bearer access-1-canary" || c.AccessToken.Reveal() != "access-1-canary" || c.RefreshToken.Reveal() != "refresh-1-canary" {
			t.Errorf("used %q while %q is stored", r.Header.Get("Authorization"), c.AccessToken.Reveal())
		}
		checked = true
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
	})
	client := &http.Client{Transport: a.RoundTripper("live", "x", network)}
	if _, err := client.Get("https://api.live.test/"); err != nil || !checked {
		t.Errorf("checked %t, %v", checked, err)
	}
}

// roundTripper is a function that implements [http.RoundTripper].
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// If the disk fails after the answer, no request gets the new token until it is written,
// and it is not requested again.
func TestUnwrittenTokenIsNotUsed(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a := p.open(t)
	t.Cleanup(a.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	store := filepath.Join(p.dir, "profile", "vault")
	gone := make(chan struct{})
	s.during = func(_ *rotation, answered bool) {
		if !answered {
			if err := os.Rename(store, store+".away"); err != nil {
				t.Error(err)
			}
			close(gone)
		}
	}
	got := make(chan string)
	go func() {
		h, err := a.Header(context.Background(), "live", "x")
		if err != nil {
			t.Error(err)
		}
		got <- h.Get("Authorization")
	}()
	<-gone
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if h, err := a.Header(ctx, "live", "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the disk gone: %v, %v", h, err)
	}
	select {
	case used := <-got:
		t.Errorf("%q was used before it was on disk", used)
	default:
	}
	if err := os.Rename(store+".away", store); err != nil {
		t.Fatal(err)
	}
	if used := <-got; used != "Bearer access-1-canary" {
		t.Errorf("used %q", used)
	}
	if c := stored(t, p.open(t), "live"); c.RefreshToken.Reveal() != "refresh-1-canary" || s.count("token") != 1 {
		t.Errorf("stored %s after %d requests", c.RefreshToken.Reveal(), s.count("token"))
	}
}

// If the disk fails for longer than writing is retried, the new token is kept in memory,
// and the next request writes it.
func TestUnwrittenTokenIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: time.Second}
		p, a := connected(t, "oau", e)
		store := filepath.Join(p.dir, "profile", "vault")
		time.Sleep(time.Hour)
		var renaming sync.WaitGroup
		renaming.Go(func() {
			time.Sleep(500 * time.Millisecond) // while the endpoint answers
			if err := os.Rename(store, store+".away"); err != nil {
				t.Error(err)
			}
		})
		for range 5 {
			h, err := apply(t, a, "oau", "x")
			if err == nil {
				t.Errorf("used %v", h)
			}
			if strings.Contains(err.Error(), "a1") || strings.Contains(err.Error(), "r1") {
				t.Errorf("the error contains a token: %v", err)
			}
			time.Sleep(time.Minute)
		}
		renaming.Wait()
		if err := os.Rename(store+".away", store); err != nil {
			t.Fatal(err)
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if c := stored(t, p.open(t), "oau"); c.RefreshToken.Reveal() != "r1" || e.count() != 1 {
			t.Errorf("stored %s after %d refreshes", c.RefreshToken.Reveal(), e.count())
		}
	})
}

// After a 401, the transport renews the token and sends the request again if it can read
// the body again.
func TestRoundTripperRenewsRefusedToken(t *testing.T) {
	s := startServer(t)
	a := s.profile(t).open(t)
	t.Cleanup(a.Close)
	s.logIn(t, a, time.Now().Add(time.Hour))
	later := time.Now().Add(2 * time.Minute) // the token is old enough to be renewed
	a.Now = func() time.Time { return later }
	s.mu.Lock()
	delete(s.expiry, "access-0-canary")
	s.mu.Unlock()
	network := roundTripper(func(r *http.Request) (*http.Response, error) {
		toServer, err := http.NewRequestWithContext(r.Context(), r.Method, s.URL+"/api/", r.Body)
		if err != nil {
			return nil, err
		}
		toServer.Header = r.Header
		return http.DefaultTransport.RoundTrip(toServer)
	})
	client := &http.Client{Transport: a.RoundTripper("live", "", network)}
	response, err := client.Post("https://api.live.test/", "text/plain", strings.NewReader("again"))
	if err != nil || response.StatusCode != 200 || s.count("token") != 1 || s.count("api") != 2 {
		t.Fatalf("%v, %v; %d refreshes, %d requests", response, err, s.count("token"), s.count("api"))
	}
	token, err := a.TokenSource("live", "x").Token()
	if err != nil || token.AccessToken != "access-1-canary" || !token.Expiry.After(later) {
		t.Errorf("token %v", err)
	}
	c, err := a.Fresh(t.Context(), "live", "x")
	if err != nil || c.AccessToken.Reveal() != "access-1-canary" || c.Status != auth.StatusConnected {
		t.Errorf("connection %+v, %v", c, err)
	}
}
