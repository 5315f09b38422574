package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/secret"
)

// demoTokenHost is the demo's service with OAuth, and demoTokenLife how long its
// first token lives: long enough for the agent to use it once.
const (
	demoTokenHost     = "oauth.demo.test"
	demoTokenVariable = "DEMO_TOKEN"
	demoTokenLife     = 400 * time.Millisecond
)

func demoTokenDefinition(server string) string {
	return `{
  "schema_version": 2, "name": "demo-oauth", "display_name": "Demo service with OAuth", "flows": ["pkce"], "hosts": ["` + demoTokenHost + `"],
  "env": [{"name": "` + demoTokenVariable + `", "value": "{access_token}"}],
  "oauth": {"authorization_url": "` + server + `/authorize", "token_url": "` + server + `/token", "client_id": "demo", "token_auth": "none",
    "response": {"expires_at": ["expires_at"]}}
}`
}

// demoSignIn is an authorization server on loopback. It agrees to everything, and
// hands out tokens of which the first one is soon over.
type demoSignIn struct {
	server *http.Server
	url    string

	mu        sync.Mutex // guards all below
	tokens    []secret.String
	refresh   secret.String // the one that is good
	refreshes int
}

func startDemoSignIn() (*demoSignIn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	s := &demoSignIn{url: "http://" + l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go s.server.Serve(l)
	return s, nil
}

func (s *demoSignIn) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {rand.Text()}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (s *demoSignIn) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	life := demoTokenLife
	if r.FormValue("grant_type") == "refresh_token" {
		if !s.refresh.Equal(secret.New(r.FormValue("refresh_token"))) {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		s.refreshes++
		life = time.Hour
	}
	access := secret.New("sk-demo-" + rand.Text())
	s.tokens, s.refresh = append(s.tokens, access), secret.New(rand.Text())
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"access_token": access.Reveal(), "refresh_token": s.refresh.Reveal(), "token_type": "Bearer", "expires_at": time.Now().Add(life).UnixMilli(),
	})
}

// logInWithToken signs in as a user would, with this binary in the browser's place.
func (d *demonstration) logInWithToken(ctx context.Context) error {
	signIn, err := startDemoSignIn()
	if err != nil {
		return err
	}
	d.signIn = signIn
	if _, err := d.authsome(ctx, demoTokenDefinition(signIn.url), "register", "-", "--yes"); err != nil {
		return err
	}
	if _, err := d.authsome(ctx, "", "login", "demo-oauth"); err != nil {
		return err
	}
	d.step("5. authsome login demo-oauth: a token that is soon over")
	d.line("the sign-in gave", fmt.Sprintf("%s, for %s", mask(signIn.tokens[0]), demoTokenLife))
	return nil
}

// renewToken runs an agent for longer than the token lives.
func (d *demonstration) renewToken(ctx context.Context) error {
	out, err := d.run(ctx, d.binary, "demo", "agent", "--longer")
	if err != nil {
		return err
	}
	d.signIn.mu.Lock()
	defer d.signIn.mu.Unlock()
	defer d.signIn.server.Close()
	if n := d.signIn.refreshes; n != 1 {
		return fmt.Errorf("the token was refreshed %d times", n)
	}
	for _, token := range append(d.signIn.tokens, d.signIn.refresh) {
		if strings.Contains(out, token.Reveal()) {
			return errors.New("the agent could see a token")
		}
	}
	var saw struct {
		Variable string `json:"variable"`
		Statuses []int  `json:"statuses"`
	}
	if err := json.Unmarshal([]byte(out), &saw); err != nil {
		return fmt.Errorf("report of the agent: %w", err)
	}
	for _, status := range saw.Statuses {
		if status != http.StatusOK {
			return fmt.Errorf("the service answered %d to the agent", status)
		}
	}
	renewed := d.signIn.tokens[1]
	if err := d.service.received(demoTokenHost, "Bearer "+renewed.Reveal()); err != nil {
		return err
	}
	d.step("6. authsome run -- agent: it outlives its token")
	d.line("the agent had", demoTokenVariable+"="+saw.Variable+", all the time")
	d.line("the agent asked", fmt.Sprintf("%d times, before and after, and saw nothing of it", len(saw.Statuses)))
	d.line("authsome renewed", fmt.Sprintf("the token, %d time, and kept the new one first", d.signIn.refreshes))
	d.line("the service received", "Authorization: Bearer "+mask(renewed))
	return nil
}

// askLonger is the agent that outlives its token: it asks, waits until the token
// is over, and asks several times at once.
func askLonger(ctx context.Context, app *app, key string) error {
	const together = 4
	statuses := make([]int, 1+together)
	errs := make([]error, len(statuses))
	statuses[0], _, errs[0] = ask(ctx, demoTokenHost, key)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(demoTokenLife):
	}
	var all sync.WaitGroup
	for i := range together {
		all.Go(func() { statuses[1+i], _, errs[1+i] = ask(ctx, demoTokenHost, key) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return app.printJSON(map[string]any{"variable": key, "statuses": statuses})
}

// newDemoBrowserCmd goes where a browser would go to sign in, in the demo.
func newDemoBrowserCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "browser URL",
		Short:   "The browser that the demo signs in with",
		Long:    "Browser is the program that `authsome demo` gives to login in place of a browser: it goes to URL, and wherever it is sent from there.",
		Example: "  authsome demo",
		Hidden:  true,
		Args:    exactArgs("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, args[0], nil)
			if err != nil {
				return fmt.Errorf("the address to sign in at: %w", err)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				return fmt.Errorf("sign in: %w", err)
			}
			defer response.Body.Close()
			_, err = io.Copy(io.Discard, response.Body)
			return err
		},
	}
}
