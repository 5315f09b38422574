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
)

// A definition from a server is shown, and installed only with a yes.
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
	b := newBench(t)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", roots)
	installed := filepath.Join(b.home, "providers", "acme.json")

	screen, code := b.typed("install acme? [y/N] ", "n\n", "register", server.URL+"/acme.json")
	if _, err := os.Stat(installed); err == nil || code != 1 || !strings.Contains(screen, "its credential goes to api.acme.com") || !strings.Contains(screen, "the credential goes into the query") {
		t.Errorf("refused: exit %d, %v, the screen: %q", code, err, screen)
	}
	for address, reason := range map[string]string{
		server.URL + "/clear": "redirected away from https", server.URL + "/large": "larger than", server.URL + "/none": "404",
		strings.Replace(server.URL, "https", "http", 1) + "/acme.json": "only https URLs",
	} {
		cmd := b.command("register", address, "--yes")
		cmd.Stderr = nil
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), reason) {
			t.Errorf("%s: %v, %s", address, err, out)
		}
	}
	if screen, code = b.typed("install acme? [y/N] ", "y\n", "register", server.URL+"/moved"); code != 0 {
		t.Errorf("exit %d, the screen: %q", code, screen)
	}
	if got, err := os.ReadFile(installed); string(got) != definition || err != nil {
		t.Errorf("installed %s, %v", got, err)
	}
}
