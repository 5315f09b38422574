package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// browserTimeout bounds a login, including a slow start of the browser.
const browserTimeout = 2 * time.Minute

// desk is a home of the built program, with a program in place of its browser.
type desk struct {
	t      *testing.T
	dir    string
	binary string
	env    []string
}

// newDesk builds the program. The program trusts only roots, in PEM.
func newDesk(t *testing.T, roots []byte) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir()}
	d.binary = filepath.Join(d.dir, "authsome")
	build := exec.Command("go", "build", "-o", d.binary, "./cmd/authsome")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The program that authsome opens as its browser writes down the address, which
	// the test opens in a real one.
	opener := filepath.Join(d.dir, "opener")
	if err := os.WriteFile(opener, fmt.Appendf(nil, "#!/bin/sh\nprintf %%s \"$1\" > %[1]s/address.tmp && mv %[1]s/address.tmp %[1]s/address\n", d.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(d.dir, "ca.pem")
	if err := os.WriteFile(ca, roots, 0o600); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"HOME=" + d.dir, "AUTHSOME_HOME=" + filepath.Join(d.dir, "home"), "PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + ca, "BROWSER=" + opener}
	return d
}

// authsome runs a command, and returns what it printed.
func (d *desk) authsome(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env, cmd.Stdin = d.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// page is the last page that a browser shows.
type page struct {
	URL, Title, Text, Focused string
	Complaints                []string
	Scripts                   int
}

// step is a step of a user in the browser.
type step struct {
	Fill       map[string]string `json:"fill,omitempty"`
	Press      string            `json:"press,omitempty"`
	Click      string            `json:"click,omitempty"`
	Wait       string            `json:"wait,omitempty"`
	Screenshot string            `json:"screenshot,omitempty"`
}

// logIn runs authsome login, and takes the steps in a browser. Screenshots are kept in
// the directory AUTHSOME_E2E_SCREENSHOTS.
func (d *desk) logIn(args []string, steps ...step) (last page, output string, failed error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), browserTimeout)
	defer cancel()
	screenshots := os.Getenv("AUTHSOME_E2E_SCREENSHOTS")
	if screenshots == "" {
		screenshots = d.t.TempDir()
	}
	for i, s := range steps {
		if s.Screenshot != "" {
			steps[i].Screenshot = filepath.Join(screenshots, s.Screenshot+".png")
		}
	}
	os.Remove(filepath.Join(d.dir, "address"))
	type ended struct {
		out string
		err error
	}
	end := make(chan ended, 1)
	go func() {
		out, err := d.authsome(ctx, "", append([]string{"login"}, args...)...)
		end <- ended{out, err}
	}()
	var address []byte
	for len(address) == 0 {
		select {
		case e := <-end:
			d.t.Fatalf("login ended before it opened a browser: %v: %s", e.err, e.out)
		case <-time.After(20 * time.Millisecond): // between checks of another process's file
			address, _ = os.ReadFile(filepath.Join(d.dir, "address"))
		}
	}
	input, err := json.Marshal(map[string]any{"address": string(address), "steps": steps})
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "browser/drive.mjs")
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &stderr
	if err := cmd.Run(); err != nil {
		cancel()
		d.t.Fatalf("the browser: %v: %s\nauthsome: %s", err, &stderr, (<-end).out)
	}
	if err := json.Unmarshal(out.Bytes(), &last); err != nil {
		d.t.Fatal(err)
	}
	e := <-end
	return last, e.out, e.err
}

// wantPage checks that a last page has the texts, and what is true of each: no query
// in the address that could be stolen, no script, no warning of the browser, and the
// focus on the heading.
func wantPage(t *testing.T, p page, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.Text, text) {
			t.Errorf("no %q on the page:\n%s", text, p.Text)
		}
	}
	if strings.ContainsAny(p.URL, "?#") || p.Scripts != 0 || p.Focused != "H1" {
		t.Errorf("%+v", p)
	}
	origin := p.URL[:strings.Index(p.URL, "/login/")]
	for _, c := range p.Complaints {
		if strings.Contains(c, origin) || !strings.Contains(c, "https://127.0.0.1") { // pages of the server are not ours
			t.Errorf("the browser warns: %s", c)
		}
	}
}

func certificate(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// TestBrowserLogin signs in on the page of a real server, in a real browser.
func TestBrowserLogin(t *testing.T) {
	z := newZitadel(t, nil)
	d := newDesk(t, certificate(z.Server))
	define := func(name, redirect string) {
		t.Helper()
		definition := fmt.Sprintf(`{"schema_version":2,"name":%q,"display_name":"Acme","flows":["pkce"],"hosts":["api.acme.example"],
			"key_url":"https://acme.example/apps","oauth":{"issuer":%q,"discovery":"issuer","scopes":["openid","profile","offline_access"],
			"client_secret":"optional","token_auth":"basic","redirect":%s}}`, name, z.URL, redirect)
		if out, err := d.authsome(t.Context(), definition, "register", "-"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	define("acme", `{"path":"/callback"}`)
	define("acme-web", `{"port":53682,"path":"/callback"}`)
	signIn := []step{
		{Wait: "#username"}, {Fill: map[string]string{"#username": "test-user@localhost", "#password": "verysecure"}}, {Press: "Enter"}, {Wait: "[role=status]"}, {Screenshot: "success"},
	}
	last, out, err := d.logIn([]string{"acme"}, append([]step{
		{Wait: "#f-client_id"}, {Screenshot: "client-form"}, {Fill: map[string]string{"#f-client_id": "native"}}, {Press: "Enter"},
	}, signIn...)...)
	if err != nil || !strings.Contains(out, "connected acme/default") {
		t.Fatalf("%v: %s", err, out)
	}
	wantPage(t, last, "Acme is connected", "openid", "api.acme.example")

	// The client is stored, so the browser opens the page of the server directly.
	if last, out, err = d.logIn([]string{"acme", "--connection", "second"}, signIn...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wantPage(t, last, "Acme is connected", "second")

	// A client with a wrong secret: there is also a page for failures.
	last, out, err = d.logIn([]string{"acme-web", "--connection", "third"},
		step{Wait: "#f-client_id"}, step{Fill: map[string]string{"#f-client_id": "web", "#f-client_secret": "wrong"}}, step{Press: "Enter"},
		step{Wait: "#username"}, step{Fill: map[string]string{"#username": "test-user@localhost", "#password": "verysecure"}}, step{Press: "Enter"},
		step{Wait: "[role=alert]"}, step{Screenshot: "failure"})
	if err == nil || !strings.Contains(out, "hint: authsome login acme-web --connection third") {
		t.Errorf("%v: %s", err, out)
	}
	wantPage(t, last, "Acme is not connected", "Nothing was stored", "authsome login acme-web --connection third")
}

// TestBrowserForm enters a key that the service refuses, and then the right one. The
// form asks again, and only the right key is stored.
func TestBrowserForm(t *testing.T) {
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key-right-0123456789" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"user":{"name":"Kim"}}`)
	}))
	defer service.Close()
	// Only this proxy knows the address of the service.
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "example.com:443" { // the name in the test server's certificate
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		upstream, err := net.Dial("tcp", service.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(upstream, client); upstream.Close() }()
		io.Copy(client, upstream)
		client.Close()
	}))
	defer proxy.Close()
	d := newDesk(t, certificate(service))
	d.env = append(d.env, "HTTPS_PROXY="+proxy.URL)
	const definition = `{"schema_version":2,"name":"keyed","display_name":"Keyed Service","flows":["api_key"],"hosts":["example.com"],"key_url":"https://example.com/keys",
		"params":[{"name":"api_key","label":"API key","secret":true,"pattern":"key-[a-z0-9-]+","hint":"keys begin with key-"},{"name":"region","label":"Region","optional":true}],
		"verify":{"url":"https://example.com/me","label":"user.name"}}`
	if out, err := d.authsome(t.Context(), definition, "register", "-", "--yes"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	last, out, err := d.logIn([]string{"keyed"},
		step{Wait: "#f-api_key"}, step{Screenshot: "form"},
		step{Fill: map[string]string{"#f-api_key": "no key", "#f-region": "eu"}}, step{Press: "Enter"}, step{Wait: "[aria-invalid]"}, step{Screenshot: "form-shape"},
		step{Fill: map[string]string{"#f-api_key": "key-wrong-0123456789"}}, step{Press: "Enter"}, step{Wait: ".problem:has-text('refused')"}, step{Screenshot: "form-refused"},
		step{Fill: map[string]string{"#f-api_key": "key-right-0123456789"}}, step{Press: "Enter"}, step{Wait: "[role=status]"}, step{Screenshot: "form-success"})
	if err != nil || !strings.Contains(out, "connected keyed/default, account Kim") {
		t.Fatalf("%v: %s", err, out)
	}
	wantPage(t, last, "Keyed Service is connected", "Kim", "example.com")
	if strings.Contains(out, "key-right") || strings.Contains(last.Text, "key-right") {
		t.Error("the key is printed or on the page")
	}
	out, err = d.authsome(t.Context(), "", "get", "keyed", "--field", "api_key", "--show-secret")
	if err != nil || strings.TrimSpace(out) != "key-right-0123456789" {
		t.Errorf("stored %q, %v", out, err)
	}
}

// guidedServer is an authorization server that compares redirect URLs as text, and has
// sign-in codes. Its clients have the redirect URL http://127.0.0.1:7999/callback, as
// clients of the Python authsome do.
func guidedServer(t *testing.T) *httptest.Server {
	t.Helper()
	const registered = "http://127.0.0.1:7999/callback"
	var approved sync.WaitGroup
	approved.Add(1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		switch r.URL.Path {
		case "/authorize":
			if r.Form.Get("redirect_uri") != registered {
				http.Error(w, "unknown redirect URL", http.StatusBadRequest)
				return
			}
			http.Redirect(w, r, registered+"?"+url.Values{"code": {"c-1"}, "state": {r.Form.Get("state")}}.Encode(), http.StatusFound)
		case "/device":
			fmt.Fprintf(w, `{"device_code":"d-1","user_code":"WDJB-MJHT","verification_uri":"https://%[1]s/enter","verification_uri_complete":"https://%[1]s/enter?code=WDJB-MJHT","expires_in":900,"interval":1}`, r.Host)
		case "/enter":
			approved.Done()
			io.WriteString(w, "<title>Approved</title>Approved")
		case "/token":
			if r.Form.Get("code") != "" && r.Form.Get("redirect_uri") != registered {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"error":"invalid_grant"}`)
				return
			}
			if r.Form.Get("device_code") != "" {
				approved.Wait()
			}
			io.WriteString(w, `{"access_token":"a-1","token_type":"Bearer"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestBrowserGuided goes through the ways to log in to a provider that needs a token or
// a client: the choice, the steps, the buttons of the form, and a code.
func TestBrowserGuided(t *testing.T) {
	s := guidedServer(t)
	d := newDesk(t, certificate(s))
	for _, definition := range []string{
		`{"schema_version":2,"name":"acme-token","display_name":"Acme (token)","flows":["api_key"],"hosts":["api.acme.example"],"key_url":"https://acme.example/tokens",
			"params":[{"name":"api_key","label":"Token","secret":true}]}`,
		fmt.Sprintf(`{"schema_version":2,"name":"acme","display_name":"Acme","flows":["pkce","device_code"],"hosts":["api.acme.example"],"key_url":"https://acme.example/apps","token_provider":"acme-token",
			"oauth":{"authorization_url":"%[1]s/authorize","token_url":"%[1]s/token","device_authorization_url":"%[1]s/device","scopes":["read"],
			"app_steps":[{"text":"Enter any name"},{"text":"Set \"Callback URL\" to {redirect_url}","flow":"pkce"},{"text":"Select \"Enable codes\"","flow":"device_code"},{"text":"Copy the client ID and the client secret"}]}}`, s.URL),
	} {
		if out, err := d.authsome(t.Context(), definition, "register", "-", "--yes"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	shownSecret := "#f-client_secret[type=text]"
	last, out, err := d.logIn([]string{"acme"},
		step{Wait: "button[value=token]"}, step{Screenshot: "choose"}, step{Click: "button[value=token]"},
		step{Wait: "#f-api_key"}, step{Click: "button[value=back]"},
		step{Wait: "button[value=app]"}, step{Click: "button[value=app]"}, step{Wait: "#f-client_id"},
		step{Click: "[data-copy]"}, step{Wait: "[data-copy]:has-text('Copied')"},
		step{Fill: map[string]string{"#f-client_id": "client-1", "#f-client_secret": "secret-1"}},
		step{Click: "[data-show]"}, step{Wait: shownSecret}, step{Screenshot: "app"},
		step{Press: "Enter"}, step{Wait: "[role=status]:has-text('connected')"})
	if err != nil || !strings.Contains(out, "connected acme/default") || !strings.Contains(out, "the OAuth app's redirect URL must be http://127.0.0.1:7999/callback") {
		t.Fatalf("%v: %s", err, out)
	}
	wantPage(t, last, "Acme is connected", "api.acme.example")

	// A code, which the user copies to the page of the provider.
	last, out, err = d.logIn([]string{"acme", "--connection", "second", "--reset"},
		step{Wait: "button[value=device]"}, step{Click: "button[value=device]"},
		step{Wait: "#f-client_id"}, step{Fill: map[string]string{"#f-client_id": "client-1"}}, step{Press: "Enter"},
		step{Wait: "output:has-text('WDJB-MJHT')"}, step{Screenshot: "code"}, step{Click: "a.button"}, step{Wait: "[role=status]:has-text('connected')"})
	if err != nil || !strings.Contains(out, "connected acme/second") {
		t.Fatalf("%v: %s", err, out)
	}
	wantPage(t, last, "Acme is connected", "second")

	// Cancel ends the login on the terminal, too.
	last, out, err = d.logIn([]string{"acme", "--connection", "third", "--reset"},
		step{Wait: "button[value=app]"}, step{Click: "button[value=app]"}, step{Wait: "#f-client_id"},
		step{Fill: map[string]string{"#f-client_secret": "secret-1"}}, step{Click: "button[value=cancel]"}, step{Wait: "h1:has-text('cancelled')"}, step{Screenshot: "cancelled"})
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 || !strings.Contains(out, "login cancelled; nothing was changed") {
		t.Errorf("%v: %s", err, out)
	}
	wantPage(t, last, "Login cancelled", "Nothing was stored")
}
