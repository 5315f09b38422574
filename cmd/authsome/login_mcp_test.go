package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/authsome/authsome/ca"
)

// mcpServers are the MCP servers https://NAME.test/mcp of mcpWorld, each with its
// authorization server on the same host, by how they differ from a server that has
// everything.
var mcpServers = map[string]mcpServer{
	"plain":    {managed: true},
	"slash":    {issuer: "https://slash.test/", named: "https://slash.test"},
	"noslash":  {issuer: "https://noslash.test", named: "https://noslash.test/", iss: "https://noslash.test"},
	"tenant":   {issuer: "https://tenant.test/a", named: "https://tenant.test/a/"},
	"stranger": {issuer: "https://stranger.test", named: "https://evil.test/"},
	"mixup":    {iss: "https://evil.test"},
	"managed":  {managed: true, iss: "https://evil.test"},
	"address":  {path: "/mcp/", query: "team=1"},
	"http":     {challenge: "http://http.test/meta"},
	"gone":     {challenge: "https://gone.test/nothing"},
	"relative": {challenge: "nothing/meta"},
	"moved":    {metadataAt: "https://moved.test/elsewhere"},
	"lured":    {metadataAt: "http://lured.test/elsewhere"},
	"busy":     {busy: true},
	"mark":     {prefix: "\ufeff"},
	"basic":    {unregistered: true, methods: `[]`, secret: "Basic", life: `0`},
	"post":     {unregistered: true, methods: `["client_secret_post"]`, secret: "client_secret"},
	"public":   {unregistered: true},
	"nopkce":   {pkce: "-"},
	"plainly":  {pkce: "plain"},
	"purged":   {purges: "/authorize"},
	"refused":  {purges: "/token"},
	"strict":   {purges: "/authorize", unregistered: true},
	"expired":  {life: `"0"`},
	"negative": {life: `-1`},
	"short":    {life: `0`, noRefresh: true},
}

// mcpServer is how an MCP server and its authorization server behave.
type mcpServer struct {
	path, query   string // of the server's address; /mcp without a query if empty
	issuer, named string // as the resource's metadata and the server's own name it
	iss           string // in the redirect
	challenge     string // the address of the metadata in the challenge
	metadataAt    string // where the well-known address of the metadata redirects to
	busy          bool   // the first place of each document answers 503
	prefix        string // before each JSON document
	methods       string // of client authentication; ["none"] if empty, absent if []
	pkce          string // instead of S256; absent if "-"
	unregistered  bool   // clients cannot be registered
	managed       bool   // a client that was registered can be deleted
	secret        string // how the secret must be sent; empty if it must not
	purges        string // the endpoint that knows a client only until its first token
	life          string // expires_in of the first token
	noRefresh     bool
}

const mcpSecret = "mcp-secret-canary-4be1c0d2"

// mcpWorld is a CONNECT proxy on which every https host is one of mcpServers.
type mcpWorld struct {
	authority *ca.Authority
	proxy     *httptest.Server
	served    chan net.Conn

	mu       sync.Mutex // guards all below
	clients  map[string]bool
	issued   map[string]int // tokens, by host
	requests strings.Builder
}

func newMCPWorld() (*mcpWorld, error) {
	authority, err := ca.New(ca.Options{CommonName: "world"})
	if err != nil {
		return nil, err
	}
	w := &mcpWorld{authority: authority, served: make(chan net.Conn), clients: map[string]bool{"mine": true}, issued: make(map[string]int)}
	go (&http.Server{
		Handler: w, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }},
	}).ServeTLS(w, "", "")
	w.proxy = httptest.NewServer(http.HandlerFunc(w.connect))
	return w, nil
}

func (w *mcpWorld) connect(rw http.ResponseWriter, r *http.Request) {
	c, _, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	w.served <- c
}

// Accept, Close and Addr make w the listener of its tunnels.
func (w *mcpWorld) Accept() (net.Conn, error) {
	c, ok := <-w.served
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (w *mcpWorld) Close() error   { return nil }
func (w *mcpWorld) Addr() net.Addr { return &net.TCPAddr{} }

func (w *mcpWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := strings.TrimSuffix(r.Host, ".test")
	s := mcpServers[name]
	host := "https://" + r.Host
	if s.path == "" {
		s.path = "/mcp"
	}
	if s.issuer == "" {
		s.issuer, s.named = host, host
	}
	resource := host + s.path
	if s.query != "" {
		resource += "?" + s.query
	}
	const wellKnown = "/.well-known/oauth-protected-resource"
	issuerPath := strings.TrimSuffix(strings.TrimPrefix(s.issuer, host), "/")
	firstPlace := "/.well-known/oauth-authorization-server" + issuerPath
	if s.busy {
		firstPlace = "/.well-known/openid-configuration"
	}
	answer := func(v any) {
		text, _ := json.Marshal(v)
		io.WriteString(rw, s.prefix+string(text))
	}
	r.ParseForm()
	switch path := r.URL.Path; {
	case path == s.path && r.URL.RawQuery == s.query:
		if r.Header.Get("Authorization") == fmt.Sprintf("Bearer token-canary-%s-%d", name, w.issued[name]) {
			fmt.Fprintf(rw, "%s token %d", name, w.issued[name])
			return
		}
		challenge := "Bearer"
		if s.challenge != "" {
			challenge += ` resource_metadata="` + s.challenge + `"`
		}
		rw.Header().Set("WWW-Authenticate", challenge)
		rw.WriteHeader(http.StatusUnauthorized)
	case s.busy && (path == wellKnown+s.path || path == "/.well-known/oauth-authorization-server"):
		rw.WriteHeader(http.StatusServiceUnavailable)
	case s.metadataAt != "" && path == wellKnown+s.path:
		http.Redirect(rw, r, s.metadataAt, http.StatusFound)
	case path == wellKnown+s.path && r.URL.RawQuery == s.query, path == "/elsewhere" && s.metadataAt != "", path == wellKnown && s.busy:
		answer(map[string]any{"resource": resource, "authorization_servers": []string{s.issuer}})
	case path == firstPlace:
		answer(s.metadata(host))
	case path == "/register" && !s.unregistered:
		id := fmt.Sprintf("%s-%d", name, len(w.clients))
		w.clients[id] = true
		rw.WriteHeader(http.StatusCreated)
		client := map[string]any{"client_id": id}
		if s.managed {
			client["registration_client_uri"], client["registration_access_token"] = host+"/client/"+id, "registration-canary-"+id
		}
		answer(client)
	case r.Method == http.MethodDelete && r.Header.Get("Authorization") == "Bearer registration-canary-"+strings.TrimPrefix(path, "/client/"):
		fmt.Fprintf(&w.requests, "%s deleted the client\n", name)
		rw.WriteHeader(http.StatusNoContent)
	case path == "/authorize" && w.knows(s, path, r.Form.Get("client_id")):
		back, _ := url.Parse(r.Form.Get("redirect_uri"))
		q := url.Values{"state": {r.Form.Get("state")}, "code": {"the-code"}}
		if s.iss != "" {
			q.Set("iss", s.iss)
		}
		back.RawQuery = q.Encode()
		http.Redirect(rw, r, back.String(), http.StatusFound)
	case path == "/authorize":
		http.Error(rw, "<p>Unrecognized client", http.StatusBadRequest)
	case path == "/token":
		w.token(rw, r, name, s, answer)
	default:
		http.NotFound(rw, r)
	}
}

func (s mcpServer) metadata(host string) map[string]any {
	m := map[string]any{"issuer": s.named, "authorization_endpoint": host + "/authorize", "token_endpoint": host + "/token"}
	if !s.unregistered {
		m["registration_endpoint"] = host + "/register"
	}
	switch s.pkce {
	case "-":
	case "":
		m["code_challenge_methods_supported"] = []string{"S256"}
	default:
		m["code_challenge_methods_supported"] = []string{s.pkce}
	}
	switch s.methods {
	case "[]":
	case "":
		m["token_endpoint_auth_methods_supported"] = []string{"none"}
	default:
		m["token_endpoint_auth_methods_supported"] = json.RawMessage(s.methods)
	}
	return m
}

// knows reports whether an endpoint accepts a client. The caller holds mu.
func (w *mcpWorld) knows(s mcpServer, path, id string) bool {
	return s.purges != path || w.clients[id]
}

// token serves the token endpoint. The caller holds mu.
func (w *mcpWorld) token(rw http.ResponseWriter, r *http.Request, name string, s mcpServer, answer func(any)) {
	form := maps.Clone(r.PostForm)
	user, password, basic := r.BasicAuth()
	for _, secret := range []string{"code_verifier", "redirect_uri"} {
		if form.Has(secret) {
			form.Set(secret, "present")
		}
	}
	fmt.Fprintf(&w.requests, "%s %s\n", name, form.Encode())
	sent := ""
	switch {
	case basic && password == mcpSecret:
		sent = "Basic"
	case form.Get("client_secret") == mcpSecret:
		sent = "client_secret"
	}
	id := form.Get("client_id") + user
	if sent != s.secret || !w.knows(s, "/token", id) || basic == form.Has("client_secret") && basic {
		rw.WriteHeader(http.StatusUnauthorized)
		answer(map[string]any{"error": "invalid_client"})
		return
	}
	if s.purges != "" {
		delete(w.clients, id)
	}
	w.issued[name]++
	token := map[string]any{"access_token": fmt.Sprintf("token-canary-%s-%d", name, w.issued[name]), "token_type": "Bearer", "expires_in": 3600}
	if !s.noRefresh {
		token["refresh_token"] = "refresh-canary-" + name
	}
	if w.issued[name] == 1 && s.life != "" {
		token["expires_in"] = json.RawMessage(s.life)
	}
	answer(token)
}

// environment is what programs need to be in the world: its proxy and its authority.
func (w *mcpWorld) environment(caFile string) (map[string]string, error) {
	if err := os.WriteFile(caFile, w.authority.CertificatePEM(), 0o644); err != nil {
		return nil, err
	}
	return map[string]string{"HTTPS_PROXY": w.proxy.URL, "SSL_CERT_FILE": caFile}, nil
}

// worlds are the worlds of scripts.
var worlds sync.Map // *testscript.TestScript to *mcpWorld

// mcpworld starts an mcpWorld for a script.
func mcpworld(ts *testscript.TestScript, neg bool, args []string) {
	w, err := newMCPWorld()
	ts.Check(err)
	ts.Defer(w.proxy.Close)
	env, err := w.environment(ts.MkAbs("world.pem"))
	ts.Check(err)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		ts.Setenv(name, env[name])
	}
	worlds.Store(ts, w)
	openPages(ts)
}

// requests writes the token requests since the last call to the file requests.
func requests(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := worlds.Load(ts)
	if !ok {
		ts.Fatalf("call mcpworld before requests")
	}
	w := v.(*mcpWorld)
	w.mu.Lock()
	defer w.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs("requests"), []byte(w.requests.String()), 0o644))
	w.requests.Reset()
}

// The client secret can also be entered on the terminal, and is sent.
func TestClientSecretOfAnMCPServerOnTheTerminal(t *testing.T) {
	w, err := newMCPWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Close)
	b := newBench(t)
	env, err := w.environment(b.home + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range env {
		b.more = append(b.more, name+"="+value)
	}
	for _, given := range []string{"", "mine"} {
		args := []string{"login", "mcp", "--base-url", "https://post.test/mcp", "--no-browser", "--force", "--reset"}
		if given != "" {
			args = append(args, "--client-id", given)
		}
		s := onScreen(t, b.command(args...))
		if given == "" {
			s.expect(`Client ID for MCP server: `)
			s.enter("mine\r")
		}
		s.expect(`Client secret for MCP server \(hidden, Enter if there is none\): `)
		s.enter(mcpSecret + "\r")
		address := s.expect(`(https://post.test/authorize\?[^\s]+)`)[1]
		s.expect(`Address of the last page \(hidden\): `)
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		back, err := url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			t.Fatal(err)
		}
		back.RawQuery = url.Values{"state": {u.Query().Get("state")}, "code": {"the-code"}}.Encode()
		s.enter(back.String() + "\r")
		s.expect(`authsome: connected mcp/default`)
		if code := s.end(); code != 0 {
			t.Errorf("exit code %d: %q", code, s.seen.String())
		}
		s.wantNot(mcpSecret)
	}
}
