package main

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// A proxy that is running goes on serving while the master key and the vault's
// own key are changed, and follows logins after that, without a restart.
func TestProxyFollowsKeyChanges(t *testing.T) {
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, changes := range map[string][][]string{
		"local_key": {
			{"key", "rotate"}, {"key", "rotate", "--reseal"}, {"key", "mode", "passphrase", "--passphrase-file", passphrase}, {"key", "mode", "local_key"}, {"key", "rotate", "--reseal"},
		},
		"passphrase": {{"key", "rotate", "--reseal"}, {"key", "rotate"}, {"key", "rotate", "--reseal"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, s := newBench(t), startService(t)
			b.more = []string{"AUTHSOME_PASSPHRASE_FILE=" + passphrase}
			first := "re_" + rand.Text()
			b.run(first, "login", "resend", "--key-stdin")
			if name == "passphrase" {
				b.run("", "key", "mode", "passphrase")
			}
			_, proxy, admin := b.proxy(s.flags()...)
			c := client(t, proxy, admin)
			for _, change := range changes {
				b.run("", change...)
				if status, body := fetch(t, c, "https://"+s.host+"/emails"); status != http.StatusOK {
					t.Fatalf("after %v: %d %s", change, status, body)
				}
				next := "re_" + rand.Text()
				b.run(next, "login", "resend", "--key-stdin", "--force")
				eventually(t, "the login is noticed", func() bool {
					status, body := fetch(t, c, "https://"+s.host+"/emails")
					if status != http.StatusOK {
						t.Fatalf("after %v and a login: %d %s", change, status, body)
					}
					seen := s.authorizations()
					return seen[len(seen)-1] == "Bearer "+next
				})
			}
			if status, body := fetch(t, http.DefaultClient, "http://"+admin+"/readyz"); status != http.StatusOK {
				t.Errorf("readyz: %d %s", status, body)
			}
			if found := findSecret(b.home, "correct horse battery"); len(found) > 0 {
				t.Errorf("the passphrase is in %v", found)
			}
		})
	}
}
