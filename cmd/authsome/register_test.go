//go:build unix

package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// A definition from a URL is shown, and installed only after a yes. It is fetched over
// https only.
func TestRegisterFromURL(t *testing.T) {
	const definition = `{"schema_version":2,"name":"acme","flows":["api_key"],"hosts":["api.acme.com"],"inject":[{"in":"query","name":"key","value":"{api_key}"}]}`
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	mux.HandleFunc("/acme.json", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, definition) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/acme.json", http.StatusFound) })
	mux.HandleFunc("/clear", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/acme.json", http.StatusFound)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		for range maxDocument>>20 + 1 {
			w.Write(make([]byte, 1<<20))
		}
	})
	mux.HandleFunc("/invalid", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Replace(definition, "acme", "A/b", 1))
	})
	b := newBench(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", roots)
	installed := filepath.Join(b.home, "providers", "acme.json")

	answer := func(text, path string) (shown string, code int) {
		s := onScreen(t, b.command("register", server.URL+path))
		s.expect(`Install acme\? \[y/N\] `)
		s.enter(text)
		code = s.end()
		return s.seen.String(), code
	}
	screen, code := answer("n\n", "/acme.json")
	if _, err := os.Stat(installed); err == nil || code != 1 || !strings.Contains(screen, "sends its credential to api.acme.com") || !strings.Contains(screen, "the credential goes into the query") {
		t.Errorf("declined: exit %d, %v, screen: %q", code, err, screen)
	}
	for address, reason := range map[string]string{
		server.URL + "/clear": "the server redirects too often, or not to https", server.URL + "/large": "is larger than", server.URL + "/none": "the server answered 404",
		strings.Replace(server.URL, "https", "http", 1) + "/acme.json": "not an https URL",
	} {
		cmd := b.command("register", address, "--yes")
		cmd.Stderr = nil
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), reason) {
			t.Errorf("%s: %v, %s", address, err, out)
		}
	}
	for path, want := range map[string]string{
		"/acme.json": "cannot ask for confirmation without a terminal: Install acme?\nauthsome: hint: authsome register " + server.URL + "/acme.json --yes\n",
		"/invalid":   "name: invalid name",
	} {
		cmd := b.command("register", server.URL+path)
		cmd.Stderr = nil
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exit.Usage || !strings.Contains(string(out), want) {
			t.Errorf("%s: exit %d, %s", path, cmd.ProcessState.ExitCode(), out)
		}
	}
	cmd := b.command("register", strings.Replace(server.URL, "https", "HTTPS", 1)+"/acme.json")
	cmd.Stderr = nil
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exit.Usage || !strings.Contains(string(out), "cannot ask for confirmation") {
		t.Errorf("a scheme in capitals: exit %d, %s", cmd.ProcessState.ExitCode(), out)
	}
	if _, err := os.Stat(installed); err == nil {
		t.Error("installed without a confirmation")
	}
	if screen, code = answer("y\n", "/moved"); code != 0 {
		t.Errorf("exit %d, screen: %q", code, screen)
	}
	if got, err := os.ReadFile(installed); string(got) != definition || err != nil {
		t.Errorf("installed %s, %v", got, err)
	}
}
