package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// pythonService is a service as definitions of the Python authsome have them: a device flow
// without a client whose polls are JSON with the code alone, as Postiz has it, and a server
// that says only at its well-known place where clients are registered, as Linear's MCP
// server does. It writes each request to a file.
type pythonService struct {
	signIn *signIn
	log    string

	mu    sync.Mutex // guards polls
	polls int
}

// pythonservice FILE…: starts a pythonService, and replaces AT in the files by its address.
// It writes the requests to the file requests.
func pythonservice(ts *testscript.TestScript, neg bool, args []string) {
	s := &pythonService{signIn: &signIn{codes: make(map[string]url.Values)}, log: ts.MkAbs("requests")}
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	ts.Check(os.WriteFile(s.log, nil, 0o600))
	for _, name := range args {
		text := strings.ReplaceAll(ts.ReadFile(name), "AT/", server.URL+"/")
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

func (s *pythonService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	f, err := os.OpenFile(s.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s %s %s\n", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body)
	switch r.URL.Path {
	case "/device/code":
		fmt.Fprintf(w, `{"device_code":"device-canary-2","user_code":"PSTZ","verification_uri":"http://%s/device/verify","expires_in":900,"interval":0.05}`, r.Host)
	case "/device/token":
		s.poll(w, body)
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":"http://%s","authorization_endpoint":"https://evil.test/a","token_endpoint":"https://evil.test/t","registration_endpoint":"http://%s/register"}`, r.Host, r.Host)
	case "/authorize", "/token", "/register":
		s.signIn.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// poll answers a poll of the device flow.
func (s *pythonService) poll(w http.ResponseWriter, body []byte) {
	var asked map[string]string
	if json.Unmarshal(body, &asked) != nil || len(asked) != 1 || asked["device_code"] != "device-canary-2" {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	if s.polls++; s.polls < 2 {
		http.Error(w, `{"error":"authorization_pending"}`, http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, `{"access_token":%q,"api_url":"https://api.postiz.test"}`, signInToken)
}
