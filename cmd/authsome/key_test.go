package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authsome/authsome/vault"
)

// A running proxy continues to serve while the master key and the vault's key are
// replaced, and follows logins after that, without a restart.
func TestProxyFollowsKeyChanges(t *testing.T) {
	t.Parallel()
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

// keyBench is a bench with one connection, and a file outside the home that has a key.
func keyBench(t *testing.T) (b *bench, file string) {
	t.Helper()
	b, file = newBench(t), filepath.Join(t.TempDir(), "run.key")
	b.run("re_"+rand.Text(), "login", "resend", "--key-stdin", "--no-verify")
	key := base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return b, file
}

// interrupt leaves the home as a change of the master key leaves it that was killed
// after it had noted the new place.
func (b *bench) interrupt(next vault.Place) {
	b.t.Helper()
	path := filepath.Join(b.home, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		b.t.Fatal(err)
	}
	config["encryption"].(map[string]any)["next"] = map[string]string{"mode": next.Mode, "file": next.File}
	if text, err = json.Marshal(config); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// wantKey checks where the master key is, that no change is in progress, and that the
// vault opens.
func (b *bench) wantKey(mode, where string) {
	b.t.Helper()
	b.run("", "get", "resend")
	out, err := b.command("key", "status", "--json").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	var status struct {
		Mode, Where string
		Changing    bool
	}
	if err := json.Unmarshal(out, &status); err != nil {
		b.t.Fatal(err)
	}
	if status.Mode != mode || status.Where != where || status.Changing {
		b.t.Errorf("key status: %+v, want mode %s, %s", status, mode, where)
	}
}

// A change of the master key that was interrupted is finished by the next command,
// also if AUTHSOME_MASTER_KEY_FILE names the new or the old place.
func TestInterruptedKeyChangeIsFinished(t *testing.T) {
	t.Parallel()
	local := func(b *bench) string { return filepath.Join(b.home, "master.key") }

	t.Run("without the variable", func(t *testing.T) {
		b, file := keyBench(t)
		b.interrupt(vault.Place{Mode: vault.ModeFile, File: file})
		b.wantKey("file", file)
		if _, err := os.Stat(local(b)); err == nil {
			t.Error("the old key still exists")
		}
	})
	t.Run("the variable names the new place", func(t *testing.T) {
		b, file := keyBench(t)
		b.more = []string{"AUTHSOME_MASTER_KEY_FILE=" + file}
		b.interrupt(vault.Place{Mode: vault.ModeFile, File: file})
		b.wantKey("file", file)
		b.more = nil
		b.wantKey("file", file)
	})
	t.Run("the same command again", func(t *testing.T) {
		b, file := keyBench(t)
		b.more = []string{"AUTHSOME_MASTER_KEY_FILE=" + file}
		b.interrupt(vault.Place{Mode: vault.ModeFile, File: file})
		b.run("", "key", "mode", "file")
		b.wantKey("file", file)
	})
	t.Run("the variable names the old place", func(t *testing.T) {
		b, file := keyBench(t)
		b.more = []string{"AUTHSOME_MASTER_KEY_FILE=" + file}
		b.run("", "key", "mode", "file")
		b.interrupt(vault.Place{Mode: vault.ModeLocalKey}) // the new key was not stored
		b.wantKey("file", file)
		b.interrupt(vault.Place{Mode: vault.ModeLocalKey})
		other := newBench(t)
		other.run("", "init")
		key, err := os.ReadFile(local(other))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(local(b)+".next", key, 0o600); err != nil {
			t.Fatal(err)
		}
		b.run("", "key", "mode", "local_key") // the same command again
		if out, err := b.command("list").Output(); err == nil {
			t.Errorf("the old key still opens the vault: %s", out)
		}
		b.more = nil
		b.wantKey("local_key", local(b))
	})
	t.Run("by key rotate, in the new place", func(t *testing.T) {
		b, file := keyBench(t)
		given, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.interrupt(vault.Place{Mode: vault.ModeFile, File: file})
		b.run("", "key", "rotate")
		b.wantKey("file", file)
		now, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(now), strings.TrimSpace(string(given))) {
			t.Errorf("the key in the file was not replaced: %v", err)
		}
	})
}
