package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// server is an authorization server and an API on loopback. It accepts each refresh token
// once. If one is used a second time, it revokes all tokens (RFC 9700 section 4.14.2).
type server struct {
	*httptest.Server
	life time.Duration // of access tokens

	// during is called when a refresh was granted: before the answer is sent, and after.
	during func(r *rotation, answered bool)
	// arrives is called with the name of the requesting process, before the refresh is
	// decided. If it returns true, the process is gone and gets no answer.
	arrives func(process string) (gone bool)

	mu        sync.Mutex // guards the fields below
	current   int        // number of the valid refresh token; lower ones are used up
	dead      bool       // all tokens are revoked, because one was used twice
	rotations []*rotation
	reused    []int                // refresh tokens that were used a second time
	expiry    map[string]time.Time // of the valid access tokens
	revoked   []string             // tokens that were revoked, in order
	clients   []string             // clients that were deleted
	refuse    int                  // status of answers to revocations; 0 means success
	requests  map[string]int       // by endpoint
}

// rotation is a refresh that the server granted.
type rotation struct {
	number   int    // of the new refresh token
	process  string // that sent the refresh
	answered time.Time
}

func startServer(tb testing.TB) *server {
	tb.Helper()
	s := &server{life: time.Hour, expiry: make(map[string]time.Time), requests: make(map[string]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /revoke", s.revoke)
	mux.HandleFunc("DELETE /client/me", s.deleteClient)
	mux.HandleFunc("/api/", s.api)
	s.Server = httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return s
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	if s.arrives != nil && s.arrives(r.Header.Get("X-Process")) {
		<-r.Context().Done()
		return
	}
	s.mu.Lock()
	s.requests["token"]++
	user, password, _ := r.BasicAuth()
	var n int
	if _, err := fmt.Sscanf(r.FormValue("refresh_token"), "refresh-%d-canary", &n); err != nil || r.FormValue("grant_type") != "refresh_token" ||
		user != "me" || password != "client-secret-canary" {
		s.mu.Unlock()
		refuse(w, "invalid_request")
		return
	}
	if n != s.current {
		s.reused = append(s.reused, n)
		s.dead = true
	}
	if s.dead {
		s.expiry = map[string]time.Time{}
		s.mu.Unlock()
		refuse(w, "invalid_grant")
		return
	}
	s.current++
	granted := &rotation{number: s.current, process: r.Header.Get("X-Process")}
	access := fmt.Sprintf("access-%d-canary", s.current)
	s.expiry[access] = time.Now().Add(s.life)
	s.rotations = append(s.rotations, granted)
	s.mu.Unlock()
	if s.during != nil {
		s.during(granted, false)
	}
	body := fmt.Sprintf(`{"access_token":%q,"refresh_token":"refresh-%d-canary","token_type":"Bearer","expires_in":%d}`, access, granted.number, int(s.life/time.Second))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	fmt.Fprint(w, body)
	http.NewResponseController(w).Flush()
	s.mu.Lock()
	granted.answered = time.Now()
	s.mu.Unlock()
	if s.during != nil {
		s.during(granted, true)
	}
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"error":%q,"error_description":"canary"}`, code)
}

// api accepts valid access tokens.
func (s *server) api(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests["api"]++
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if expires, ok := s.expiry[token]; !ok || time.Now().After(expires) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests["revoke"]++
	user, password, _ := r.BasicAuth()
	if s.refuse != 0 || user != "me" || password != "client-secret-canary" {
		w.WriteHeader(max(s.refuse, 401))
		return
	}
	s.revoked = append(s.revoked, r.FormValue("token"))
}

func (s *server) deleteClient(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer registration-canary" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.clients = append(s.clients, "me")
	w.WriteHeader(http.StatusNoContent)
}

// count returns the number of requests to an endpoint: token, revoke or api.
func (s *server) count(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[endpoint]
}

// profile makes a profile with the provider live, whose endpoints are at the server.
func (s *server) profile(tb testing.TB) *profile {
	tb.Helper()
	p := newProfile(tb)
	s.install(tb, p, s.URL+"/revoke")
	return p
}

func (s *server) install(tb testing.TB, p *profile, revocation string) {
	tb.Helper()
	p.install(tb, fmt.Sprintf(`{"schema_version":2,"name":"live","display_name":"Live","flows":["pkce"],"hosts":["api.live.test"],"oauth":{"authorization_url":"%s/authorize",
		"token_url":"%[1]s/token","token_auth":"basic","revocation":{"url":%q}}}`, s.URL, revocation))
}

// logIn stores the connection x with the server's valid refresh token and an access token
// with the given expiry.
func (s *server) logIn(tb testing.TB, a *auth.Auth, expires time.Time) {
	tb.Helper()
	s.logInAs(tb, a, "x", expires)
}

func (s *server) logInAs(tb testing.TB, a *auth.Auth, name string, expires time.Time) {
	tb.Helper()
	s.mu.Lock()
	n := s.current
	access := fmt.Sprintf("access-%d-canary", n)
	s.expiry[access] = expires
	s.dead = false
	s.mu.Unlock()
	_, err := a.Login(tb.Context(), auth.LoginRequest{Provider: "live", Connection: name, Force: true,
		Obtain: func(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
			client := flows.Client{ID: "me", Secret: secret.New("client-secret-canary"), RegistrationURL: s.URL + "/client/me", RegistrationToken: secret.New("registration-canary")}
			return flows.Obtained{Client: client, Flow: providers.FlowPKCE, Token: flows.Token{
				AccessToken: secret.New(access), RefreshToken: secret.New(fmt.Sprintf("refresh-%d-canary", n)), TokenType: "Bearer", ExpiresAt: expires,
			}}, nil
		}})
	if err != nil {
		tb.Fatal(err)
	}
}
