package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/secret"
)

// The demo's service with OAuth. Its first token lives long enough for one request.
const (
	tokenHost     = "oauth.demo.test"
	tokenVariable = "DEMO_TOKEN"
	tokenLife     = 400 * time.Millisecond
)

func tokenDefinition(server string) string {
	return `{
  "schema_version": 2, "name": "demo-oauth", "display_name": "Demo service with OAuth", "flows": ["pkce"], "hosts": ["` + tokenHost + `"],
  "env": [{"name": "` + tokenVariable + `", "value": "{access_token}"}],
  "oauth": {"authorization_url": "` + server + `/authorize", "token_url": "` + server + `/token", "client_id": "demo", "token_auth": "none", "redirect": {"host": "127.0.0.1"},
    "response": {"expires_at": ["expires_at"]}}
}`
}

// signIn is an authorization server on loopback. It approves every request, and its
// first token expires soon.
type signIn struct {
	server  *http.Server
	url     string
	serving sync.WaitGroup

	mu        sync.Mutex // guards all below
	tokens    []secret.String
	refresh   secret.String // the valid refresh token
	refreshes int
}

func startSignIn() (*signIn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	s := &signIn{url: "http://" + l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.serving.Go(func() { s.server.Serve(l) })
	return s, nil
}

func (s *signIn) close() {
	s.server.Close()
	s.serving.Wait()
}

func (s *signIn) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {rand.Text()}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (s *signIn) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	life := tokenLife
	if r.FormValue("grant_type") == "refresh_token" {
		if !s.refresh.Equal(secret.New(r.FormValue("refresh_token"))) {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		s.refreshes++
		life = time.Hour
	}
	access := secret.New(keyPrefix + rand.Text())
	s.tokens, s.refresh = append(s.tokens, access), secret.New(rand.Text())
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"access_token": access.Reveal(), "refresh_token": s.refresh.Reveal(), "token_type": "Bearer", "expires_at": time.Now().Add(life).UnixMilli(),
	})
}

// logInWithToken signs in with this binary as the browser.
func (d *demo) logInWithToken(ctx context.Context) (err error) {
	if d.signIn, err = startSignIn(); err != nil {
		return err
	}
	if _, err := d.authsome(ctx, tokenDefinition(d.signIn.url), "register", "-", "--yes"); err != nil {
		return err
	}
	if _, err := d.authsome(ctx, "", "login", "demo-oauth"); err != nil {
		return err
	}
	d.title("5. authsome login demo-oauth: a token that expires soon")
	d.fact("the service issued", fmt.Sprintf("%s, valid for %s", mask(d.signIn.tokens[0]), tokenLife))
	return nil
}

// refreshToken runs an agent for longer than the token lives.
func (d *demo) refreshToken(ctx context.Context) error {
	out, err := d.run(ctx, d.binary, "demo", "agent", "--longer")
	if err != nil {
		return err
	}
	d.signIn.mu.Lock()
	defer d.signIn.mu.Unlock()
	if n := d.signIn.refreshes; n != 1 {
		return fmt.Errorf("the token was refreshed %d times, not once", n)
	}
	for _, token := range append(d.signIn.tokens, d.signIn.refresh) {
		if strings.Contains(out, token.Reveal()) {
			return errors.New("the agent had a token")
		}
	}
	var saw tokenReport
	if err := json.Unmarshal([]byte(out), &saw); err != nil {
		return fmt.Errorf("read the agent's report: %w", err)
	}
	for _, status := range saw.Statuses {
		if status != http.StatusOK {
			return fmt.Errorf("the agent received status %d", status)
		}
	}
	refreshed := d.signIn.tokens[1]
	if err := d.service.received(tokenHost, "Bearer "+refreshed.Reveal()); err != nil {
		return err
	}
	d.title("6. authsome run -- agent: the token expires while it works")
	d.fact("the agent had", tokenVariable+"="+saw.Variable+", all the time")
	d.fact("the agent sent", show.Plural(len(saw.Statuses), "request")+", before and after, and never saw the refresh")
	d.fact("authsome", "refreshed the token once, and saved it before using it")
	d.fact("the service received", "Authorization: Bearer "+mask(refreshed))
	return nil
}
