package child

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func environment(t *testing.T, e Environment) (map[string]string, []Dropped) {
	t.Helper()
	if e.Proxy == nil {
		e.Proxy = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	}
	list, dropped := e.Environ()
	env := make(map[string]string)
	for _, entry := range list {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := env[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		env[name] = value
	}
	return env, dropped
}

func TestNoProxy(t *testing.T) {
	hosts := []string{"api.example.com", ".wild.test", "192.0.2.7"}
	for _, tt := range []struct {
		inherited string
		dropped   bool
	}{
		{"api.example.com", true}, {".example.com", true}, {"example.com", true}, {"*.example.com", true}, {"*", true}, {"EXAMPLE.com", true},
		{"api.example.com:443", true}, {"com", true}, {"api.example.com.", true},
		{"wild.test", true}, {".wild.test", true}, {"a.wild.test", true}, {"192.0.2.7", true}, {"192.0.2.0/24", true}, {"0.0.0.0/0", true},
		{"other.example.com", false}, {"example.net", false}, {"xexample.com", false}, {"ple.com", false}, {"10.0.0.0/8", false}, {"internal", false}, {"wild.test.example.org", false},
	} {
		env, dropped := environment(t, Environment{Parent: []string{"NO_PROXY=" + tt.inherited}, Hosts: hosts})
		kept := slices.Contains(strings.Split(env["NO_PROXY"], ","), tt.inherited)
		if kept == tt.dropped || (len(dropped) == 1) != tt.dropped {
			t.Errorf("%s: kept %v, dropped %v", tt.inherited, kept, dropped)
		}
		if env["NO_PROXY"] != env["no_proxy"] {
			t.Errorf("the two spellings differ: %q, %q", env["NO_PROXY"], env["no_proxy"])
		}
	}
	env, _ := environment(t, Environment{Parent: []string{"NO_PROXY=a,b", "no_proxy=b c"}})
	if got := env["NO_PROXY"]; got != "a,b,c,localhost,127.0.0.1,::1" {
		t.Errorf("merged to %s", got)
	}
}

func TestEnvironment(t *testing.T) {
	env, _ := environment(t, Environment{
		Parent: []string{"KEEP=1", "OPENAI_API_KEY=real", "AUTHSOME_PROXY_TOKEN=t", "AUTHSOME_MASTER_KEY_FILE=f", "SSLKEYLOGFILE=k", "SSL_CERT_DIR=d", "HTTPS_PROXY=http://corporate:1", "http_proxy=http://corporate:1"},
		Proxy:  &url.URL{Scheme: "http", Host: "127.0.0.1:1234", User: url.UserPassword("authsome", "tok")},
		Files:  Files{Bundle: "/b", Authority: "/a", Wgetrc: "/w"}, Placeholders: map[string]string{"OPENAI_API_KEY": "placeholder"},
	})
	for name, want := range map[string]string{
		"KEEP": "1", "OPENAI_API_KEY": "placeholder", "HTTPS_PROXY": "http://authsome:tok@127.0.0.1:1234", "http_proxy": "http://authsome:tok@127.0.0.1:1234",
		"SSL_CERT_FILE": "/b", "GIT_SSL_CAINFO": "/b", "NPM_CONFIG_CAFILE": "/b", "NODE_EXTRA_CA_CERTS": "/a", "DENO_CERT": "/a", "WGETRC": "/w",
		"NODE_USE_ENV_PROXY": "1", "GIT_HTTP_PROXY_AUTHMETHOD": "basic", ModeVariable: "true",
	} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
	for _, gone := range []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "SSLKEYLOGFILE", "SSL_CERT_DIR"} {
		if v, there := env[gone]; there {
			t.Errorf("%s=%s reaches the child", gone, v)
		}
	}
}

func TestFiles(t *testing.T) {
	tmp := t.TempDir()
	f, err := WriteFiles(tmp, []byte("bundle"), []byte("authority"), []byte("timeout = 3"))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(f.Wgetrc); string(b) != "timeout = 3\nca_certificate = "+f.Bundle+"\n" {
		t.Errorf("wgetrc: %q", b)
	}
	if info, err := os.Stat(f.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	// A run that lives is left alone; one that was killed is swept.
	killed := filepath.Join(tmp, filesPrefix+"killed")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := WriteFiles(tmp, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Bundle); err != nil {
		t.Errorf("a living run was swept: %v", err)
	}
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("a killed run was left: %v", err)
	}
	for _, files := range []Files{f, second} {
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
