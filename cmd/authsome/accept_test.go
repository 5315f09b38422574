//go:build unix

package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// reloads returns how often a proxy has read the vault and the definitions.
func reloads(t *testing.T, admin string) int {
	t.Helper()
	_, text := fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^authsome_reloads_total\{[^}]*\} (\d+)$`).FindAllStringSubmatch(text, -1) {
		count, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// A definition that is replaced while a proxy runs, by the command or as a file, moves no
// stored key to a host that its connection was not made for. The test asserts what the
// added host received. Acceptance by the user takes effect in the running proxy.
func TestWidenedDefinitionMovesNoKey(t *testing.T) {
	t.Parallel()
	const added = "added.example.com"
	wide := []byte(`{"schema_version":2,"name":"resend","display_name":"Resend","flows":["api_key"],"hosts":["` + added + `","api.resend.com"]}`)
	file := filepath.Join(t.TempDir(), "wide.json")
	if err := os.WriteFile(file, wide, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, unmatched := range []string{"allow", "deny"} {
		for name, replace := range map[string]func(b *bench){
			"registered": func(b *bench) { b.run("", "register", file, "--yes") },
			"a file": func(b *bench) {
				path := filepath.Join(b.home, "providers", "resend.json")
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, wide, 0o600); err != nil {
					t.Fatal(err)
				}
				b.run("", "default", "resend", "default") // makes the proxy reload
			},
		} {
			t.Run(name+", unmatched "+unmatched, func(t *testing.T) {
				b, own, other := newBench(t), startService(t), startService(t)
				other.host = added
				b.run("re_canary0123456789", "login", "resend", "--key-stdin", "--no-verify")
				_, proxy, admin := b.proxy(slices.Concat(own.flags(), other.flags(), []string{"--unmatched", unmatched})...)
				before := reloads(t, admin)
				replace(b)
				eventually(t, "the proxy reads the definition", func() bool { return reloads(t, admin) > before })
				direct := &http.Client{Timeout: limit, Transport: &http.Transport{
					Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
				}}
				if response, err := direct.Get("https://" + added + "/"); err == nil {
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				for _, sent := range other.authorizations() {
					if sent != "" {
						t.Errorf("the added host received %q", sent)
					}
				}
				c := client(t, proxy, admin)
				if status, body := fetch(t, c, "https://api.resend.com/emails"); status != 200 {
					t.Errorf("the host of the login: %d %s", status, body)
				}
				b.run("", "connection", "accept", "resend", "--yes", "--host", added)
				eventually(t, "the added host gets the key", func() bool {
					response, err := direct.Get("https://" + added + "/")
					if err != nil {
						return false
					}
					response.Body.Close()
					return slices.Contains(other.authorizations(), "Bearer re_canary0123456789")
				})
			})
		}
	}
}

// What the user saw is what is accepted: a definition that is replaced between the
// question and the answer is not.
func TestAcceptTakesWhatWasShown(t *testing.T) {
	b := newBench(t)
	definition := func(host string) []byte {
		return fmt.Appendf(nil, `{"schema_version":2,"name":"resend","display_name":"Resend","flows":["api_key"],"hosts":["api.resend.com",%q]}`, host)
	}
	b.run("re_canary0123456789", "login", "resend", "--key-stdin", "--no-verify")
	path := filepath.Join(b.home, "providers", "resend.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, definition("shown.example.com"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := onScreen(t, b.command("connection", "accept", "resend"))
	s.expect("also to shown.example.com")
	s.expect("use this definition.*y/N")
	if err := os.WriteFile(path, definition("swapped.example.com"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.enter("y\n")
	if code := s.end(); code != exit.OK {
		t.Fatalf("exit code %d", code)
	}
	out, err := b.command("list", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "list", string(out), `"swapped.example.com"`)
}
