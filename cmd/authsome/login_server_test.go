package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/authsome/authsome/vault"
	"github.com/authsome/authsome/vault/vaulttest"
)

// signIn is a small authorization server. The path of the authorization endpoint decides
// how it behaves. It checks requests as a real server does.
type signIn struct {
	mu      sync.Mutex // guards all fields below
	codes   map[string]url.Values
	clients int
	polls   int
	exact   string // the only redirect URL that /exact accepts, as text: the first one that it got
}

const (
	signInSecret = "secret-canary-5d41402abc4b2a76"
	signInToken  = "token-canary-7d793037a0760186"

	// refreshCanary begins the server's refresh tokens. The client's ID follows.
	refreshCanary = "refresh-canary-"
)

// definitions are providers that use the server, by name: with the flow pkce, with the
// device flow in addition, and with client registration (dcr_pkce).
func definitions(server string) map[string]string {
	all := map[string]string{
		"acme": `"flows":["pkce"],"oauth":{"issuer":"SERVER","authorization_url":"SERVER/authorize","token_url":"SERVER/token",
			"client_secret":"optional","scopes":["read","write"],"redirect":{"path":"/callback"},"response":{"account_label":["who"]}}`,
		"acme-deny":  `"flows":["pkce"],"oauth":{"authorization_url":"SERVER/deny","token_url":"SERVER/token","client_id":"client-1","token_auth":"none","redirect":{"path":"/callback"}}`,
		"acme-mixup": `"flows":["pkce"],"oauth":{"issuer":"SERVER","authorization_url":"SERVER/mixup","token_url":"SERVER/token","client_id":"client-1","token_auth":"none","redirect":{"path":"/callback"}}`,
		"acme-both": `"flows":["pkce","device_code"],"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","device_authorization_url":"SERVER/device",
			"client_id":"client-1","token_auth":"none","scopes":["read"],"redirect":{"path":"/callback"},"response":{"account_label":["who"]}}`,
		"acme-new":   `"flows":["dcr_pkce"],"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","registration_url":"SERVER/register","token_auth":"none"}`,
		"acme-local": `"flows":["dcr_pkce"],"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","registration_url":"SERVER/register-localhost","token_auth":"none"}`,
		"acme-gone":  `"flows":["dcr_pkce","pkce"],"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","registration_url":"SERVER/gone","client_secret":"optional"}`,
		"acme-shut":  `"flows":["dcr_pkce"],"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","registration_url":"SERVER/gone","token_auth":"none","redirect":{"path":"/callback"}}`,
		"acme-exact": `"flows":["pkce"],"key_url":"https://acme.test/apps","oauth":{"authorization_url":"SERVER/exact","token_url":"SERVER/token","client_secret":"none","redirect":{"port":FREE,"path":"/cb"}}`,
		"acme-guided": `"flows":["pkce","device_code"],"key_url":"https://acme.test/apps","token_provider":"acme-token","oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token",
			"device_authorization_url":"SERVER/device","scopes":["read","write"],"redirect":{"path":"/callback"},
			"app_steps":[{"text":"Enter any name, and select the scopes {scopes}"},{"text":"Set the callback URL to {redirect_url}"},{"text":"Turn on sign-in codes","flow":"device_code"},{"text":"Copy the client ID and the client secret"}]}`,
		"acme-token": `"flows":["api_key"],"key_url":"https://acme.test/tokens","params":[{"name":"api_key","label":"Token","secret":true,"pattern":"at-[a-z0-9-]+","hint":"tokens begin with at-"}]`,
		"acme-busy":  `"flows":["pkce"],"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","client_id":"client-1","token_auth":"none","redirect":{"port":PORT}}`,
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(server, "http://"))
	free := freePort()
	for name, members := range all {
		all[name] = `{"schema_version":2,"name":"` + name + `","display_name":"Acme","category":"other","hosts":["api.` + name + `.test"],` +
			strings.NewReplacer("SERVER", server, "PORT", port, "FREE", free).Replace(members) + `}`
	}
	return all
}

// freePort returns a port on which nothing listens, for a redirect URL.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "0"
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// authserver starts a signIn for a script and registers its providers.
func authserver(ts *testscript.TestScript, neg bool, args []string) {
	server := httptest.NewServer(&signIn{codes: make(map[string]url.Values)})
	ts.Defer(server.Close)
	openPages(ts)
	for name, definition := range definitions(server.URL) {
		ts.Check(os.WriteFile(ts.MkAbs(name+".json"), []byte(definition), 0o644))
		ts.Check(ts.Exec("authsome", "register", name+".json", "--yes"))
	}
}

// openPages makes the pipe for the pages of browsers.
func openPages(ts *testscript.TestScript) {
	fifo := ts.MkAbs("pages")
	ts.Check(syscall.Mkfifo(fifo, 0o600))
	pages, err := os.OpenFile(fifo, os.O_RDWR, 0)
	ts.Check(err)
	ts.Defer(func() { pages.Close() })
	ts.Setenv("PAGES", fifo)
	shownPages.Store(ts, browserPages{pages, bufio.NewReader(pages)})
}

// expire PROVIDER: makes the access tokens of the provider's connections expire.
func expire(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expire PROVIDER")
	}
	home := ts.Getenv("AUTHSOME_HOME")
	key, err := vaulttest.MasterKey(home)
	ts.Check(err)
	v, err := vault.Open(filepath.Join(home, "profiles", "default"), key)
	ts.Check(err)
	ts.Check(v.Update(context.Background(), func(tx *vault.Tx) error {
		found, err := tx.List("profile:default:" + args[0] + ":connection:")
		for _, r := range found {
			var members map[string]any
			if err == nil {
				err = json.Unmarshal(r.Value, &members)
			}
			if err == nil {
				members["expires_at"] = "2020-01-01T00:00:00Z"
				r.Value, err = json.Marshal(members)
			}
			if err == nil {
				err = tx.Put(r.Key, r.Value)
			}
		}
		return err
	}))
}

// shownPages are the last pages of the browsers, by script.
var shownPages sync.Map // *testscript.TestScript to browserPages

// browserPages is the pipe for the pages of the browsers of one script.
type browserPages struct {
	pipe *os.File
	*bufio.Reader
}

// page waits for the last page of a browser and writes it to page.html. It writes the
// last form that the browser filled in to form.html.
func page(ts *testscript.TestScript, neg bool, args []string) {
	found, ok := shownPages.Load(ts)
	if !ok {
		ts.Fatalf("call authserver or mcpworld before page")
	}
	pages := found.(browserPages)
	pages.pipe.SetReadDeadline(time.Now().Add(limit))
	for _, name := range []string{"form.html", "page.html"} {
		line, err := pages.ReadString('\n')
		ts.Check(err)
		text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o644))
	}
}

func (s *signIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	r.ParseForm()
	switch r.URL.Path {
	case "/authorize", "/deny", "/mixup", "/exact":
		s.authorize(w, r, q)
	case "/token":
		s.token(w, r.PostForm)
	case "/device":
		fmt.Fprintf(w, `{"device_code":"device-canary-1","user_code":"WDJB-MJHT","verification_uri":"http://%s/enter","verification_uri_complete":"http://%s/enter?code=WDJB-MJHT","expires_in":900,"interval":1}`, r.Host, r.Host)
	case "/gone":
		http.NotFound(w, r)
	case "/register", "/register-localhost":
		var asked struct {
			RedirectURIs []string `json:"redirect_uris"`
		}
		json.NewDecoder(r.Body).Decode(&asked)
		if r.URL.Path == "/register-localhost" && (len(asked.RedirectURIs) != 1 || !strings.HasPrefix(asked.RedirectURIs[0], "http://localhost:")) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"invalid_redirect_uri","error_description":"only localhost"}`)
			return
		}
		s.clients++
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]any{"client_id": fmt.Sprint("registered-", s.clients), "redirect_uris": asked.RedirectURIs, "token_endpoint_auth_method": "none"})
	}
}

func (s *signIn) authorize(w http.ResponseWriter, r *http.Request, q url.Values) {
	back, err := url.Parse(q.Get("redirect_uri"))
	if r.URL.Path == "/exact" {
		if s.exact == "" {
			s.exact = q.Get("redirect_uri")
		}
		if q.Get("redirect_uri") != s.exact {
			http.Error(w, "The redirect URI is not registered", http.StatusBadRequest) // not sent back (RFC 6749 section 4.1.2.1)
			return
		}
	}
	if err != nil || back.Hostname() != "127.0.0.1" && back.Hostname() != "localhost" || q.Get("state") == "" || q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {q.Get("state")}}
	switch r.URL.Path {
	case "/deny":
		answer.Set("error", "access_denied")
		answer.Set("error_description", "<script>alert(1)</script> the owner said no")
	case "/mixup":
		answer.Set("iss", "https://evil.test")
		answer.Set("error", "mixed_up")
		answer.Set("code", "evil")
	default:
		code := fmt.Sprint("code-canary-", len(s.codes))
		s.codes[code] = q
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *signIn) token(w http.ResponseWriter, form url.Values) {
	refuse := func(code, text string) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": text})
	}
	switch form.Get("grant_type") {
	case "urn:ietf:params:oauth:grant-type:device_code":
		if s.polls++; s.polls < 2 {
			refuse("authorization_pending", "")
			return
		}
	case "refresh_token":
		// The token is bound to its client, which must authenticate if it has a secret.
		id, ok := strings.CutPrefix(form.Get("refresh_token"), refreshCanary)
		if !ok || id != form.Get("client_id") || !strings.HasPrefix(id, "registered-") && form.Get("client_secret") != signInSecret {
			refuse("invalid_grant", "the token belongs to another client")
			return
		}
	default:
		asked, ok := s.codes[form.Get("code")]
		delete(s.codes, form.Get("code"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		switch {
		case !ok, asked.Get("redirect_uri") != form.Get("redirect_uri"), asked.Get("client_id") != form.Get("client_id"),
			asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]):
			refuse("invalid_grant", "the code does not match")
			return
		case form.Has("client_secret") && form.Get("client_secret") != signInSecret:
			refuse("invalid_client", "no such client, or a wrong secret")
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600.0,"refresh_token":%q,"scope":"read","who":"kim@acme.test"}`, signInToken, refreshCanary+form.Get("client_id"))
}

var (
	fieldPattern   = regexp.MustCompile(`<input[^>]* name="([^"]+)"[^>]*value="([^"]*)"`)
	refreshPattern = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)
)

// browser is a program for BROWSER. It follows redirects and refreshes, and fills in
// the first form with the values in FORM, as NAME=VALUE;NAME=VALUE, the second one with
// those in FORM2, and further ones with those in FORM3 and FORM4, if they are set. It
// writes the last form that it filled in and the last page to the pipe PAGES.
func browser() {
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	// A button that the form was sent with, such as choice=app, is a value like others.
	fmt.Println("noise of the browser")
	var form string
	finish := func(page string) {
		f, err := os.OpenFile(os.Getenv("PAGES"), os.O_WRONLY, 0)
		if err != nil {
			os.Exit(1)
		}
		encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		fmt.Fprintf(f, "%s\n%s\n", encode(form), encode(page))
		os.Exit(0)
	}
	response, err := client.Get(os.Args[len(os.Args)-1])
	forms := []string{os.Getenv("FORM"), os.Getenv("FORM2")}
	for _, name := range []string{"FORM3", "FORM4"} {
		if values := os.Getenv(name); values != "" {
			forms = append(forms, values)
		}
	}
	for {
		if err != nil {
			finish(err.Error())
		}
		body, err2 := io.ReadAll(response.Body)
		response.Body.Close()
		if err2 != nil {
			finish(err2.Error())
		}
		page, at := string(body), response.Request.URL
		if m := refreshPattern.FindStringSubmatch(page); m != nil {
			next, _ := at.Parse(html.UnescapeString(m[1]))
			response, err = client.Get(next.String())
			continue
		}
		if !strings.Contains(page, "<form") || len(forms) == 0 {
			finish(at.Path + at.RawQuery + "\n" + page)
		}
		values := url.Values{}
		for _, m := range fieldPattern.FindAllStringSubmatch(page, -1) {
			values.Set(m[1], html.UnescapeString(m[2]))
		}
		for line := range strings.SplitSeq(forms[0], ";") {
			if name, value, ok := strings.Cut(line, "="); ok {
				values.Set(name, value)
			}
		}
		forms, form = forms[1:], page
		r, _ := http.NewRequest(http.MethodPost, at.String(), strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", at.Scheme+"://"+at.Host)
		response, err = client.Do(r)
	}
}
