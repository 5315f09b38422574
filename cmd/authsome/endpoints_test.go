package main

import (
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestProxyKeepsTheKeyFromOAuthEndpoints checks what services get from the built program:
// no key at an OAuth endpoint of a bundled definition, on each of its hosts and in several
// spellings, nor at that endpoint of a user's definition that replaces the bundled one.
func TestProxyKeepsTheKeyFromOAuthEndpoints(t *testing.T) {
	b, s := newBench(t), startService(t)
	key := "sk_test_" + rand.Text()
	b.run(key, "login", "stripe", "--key-stdin", "--no-verify")
	own := filepath.Join(t.TempDir(), "resend.json")
	if err := os.WriteFile(own, []byte(`{"schema_version":2,"name":"resend","flows":["api_key"],"hosts":["api.resend.com"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run("", "register", own, "--yes")
	b.run(key, "login", "resend", "--key-stdin", "--no-verify")
	_, port, _ := net.SplitHostPort(s.addr)
	flags := s.flags()
	for _, host := range []string{"api.stripe.com", "files.stripe.com"} {
		flags = append(flags, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	_, proxy, admin := b.proxy(flags...)
	c := client(t, proxy, admin)
	arrived := 0
	for _, at := range []string{"api.stripe.com/v1", "files.stripe.com/v1", s.host} {
		for _, path := range []string{"/oauth/token", "/OAuth/Token/", "/oauth/token.json", "/oauth/token%20", "/oauth/token%3fx", "/oauth%2ftoken", "/oauth/%252574oken", "/oauth/token;x=y", "/oauth/token?grant_type=x"} {
			status, body := fetch(t, c, "https://"+at+path)
			if seen := s.authorizations(); len(seen) > arrived {
				arrived = len(seen)
				if seen[arrived-1] != "" {
					t.Errorf("%s%s arrived with the key", at, path)
				}
			} else if status != 400 {
				t.Errorf("%s%s: %d %s", at, path, status, body)
			}
		}
	}
	if arrived < 12 {
		t.Errorf("only %d requests arrived", arrived)
	}
	for _, u := range []string{"https://api.stripe.com/v1/charges", "https://files.stripe.com/v1/files", "https://" + s.host + "/emails"} {
		fetch(t, c, u)
		if seen := s.authorizations(); seen[len(seen)-1] == "" {
			t.Errorf("%s arrived without the key", u)
		}
	}
}
