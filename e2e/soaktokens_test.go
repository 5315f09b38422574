package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const tokenHost = "api.tokens.test"

// tokenLife is how long a token of the token service is valid, in seconds.
const tokenLife = 5

// tokenService is an API whose tokens live for seconds, with its authorization server.
// Each refresh token can be used once.
type tokenService struct {
	flags  []string    // with which a proxy reaches the API and trusts it
	silent atomic.Bool // the authorization server does not answer

	mu      sync.Mutex           // guards all below
	issued  map[string]time.Time // access tokens
	refresh string               // the refresh token that is valid
	asked   int                  // refreshes
}

// count returns the number of refreshes since clear.
func (s *tokenService) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// clear starts a new count.
func (s *tokenService) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = 0
}

// startTokenService starts the service, and connects it in the rig's home.
func startTokenService(t *testing.T, r *rig) *tokenService {
	t.Helper()
	s := &tokenService{issued: make(map[string]time.Time)}
	server := httptest.NewServer(http.HandlerFunc(s.serveTokens))
	t.Cleanup(server.Close)
	caFile, config := certificates(t.TempDir(), tokenHost)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api := &http.Server{Handler: http.HandlerFunc(s.serveAPI), TLSConfig: config, ReadHeaderTimeout: limit}
	go api.ServeTLS(l, "", "")
	t.Cleanup(func() { api.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s.flags = []string{"--connect-to", tokenHost + ":443:127.0.0.1:" + port, "--upstream-ca", caFile}
	r.authsome(fmt.Sprintf(`{"schema_version":2,"name":"tokens","flows":["device_code"],"hosts":[%[1]q],"oauth":{"authorization_url":"%[2]s/authorize",
		"token_url":"%[2]s/token","device_authorization_url":"%[2]s/device","client_id":"public","token_auth":"none"}}`, tokenHost, server.URL), "register", "-", "--yes")
	r.authsome("", "login", "tokens", "--no-browser", "--no-verify")
	return s
}

func (s *tokenService) serveTokens(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/device" {
		fmt.Fprintf(w, `{"device_code":"device","user_code":"CODE","verification_uri":"http://%s/enter","expires_in":60,"interval":0.01}`, r.Host)
		return
	}
	if s.silent.Load() {
		r.ParseForm() // the end of the client is noticed once its body has been read
		<-r.Context().Done()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.FormValue("grant_type") == "refresh_token" && r.FormValue("refresh_token") != s.refresh {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_grant"}`)
		return
	}
	s.asked++
	token := rand.Text()
	s.issued[token], s.refresh = time.Now(), rand.Text()
	fmt.Fprintf(w, `{"access_token":%q,"refresh_token":%q,"token_type":"Bearer","expires_in":%d}`, token, s.refresh, tokenLife)
}

func (s *tokenService) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	issued, ok := s.issued[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	// A request may have been under way for a second when its token expired.
	if !ok || time.Since(issued) > (tokenLife+1)*time.Second {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	io.WriteString(w, "valid token")
}
