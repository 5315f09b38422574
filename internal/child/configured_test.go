package child

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// configHome returns a home with configuration files, and what getenv gives there.
func configHome(t *testing.T, files map[string]string) func(string) string {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	for _, name := range []string{"XDG_CONFIG_HOME", "CURL_HOME", "WGETRC", "GIT_CONFIG_GLOBAL"} {
		t.Setenv(name, "") // restores it
		os.Unsetenv(name)
	}
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Chdir(home)
	return os.Getenv
}

func TestConfiguredProxiesAreOverruled(t *testing.T) {
	const corporate = "http://corporate.example:3128"
	getenv := configHome(t, map[string]string{
		".gitconfig": "[include]\n\tpath = more\n[http]\n\tproxy = " + corporate + "\n\tproxyAuthMethod = basic\n[user]\n\tname = n\n",
		"more":       "[http \"https://api.example.com/\"]\n\tproxy = " + corporate + "\n[remote \"origin\"]\n\tproxy = " + corporate + "\n",

		".config/pip/pip.conf": "[global]\nproxy = " + corporate, ".cargo/config.toml": "[net]\noffline = false\n", ".yarnrc.yml": "httpsProxy: " + corporate,
		".aws/config": "[default]\nca_bundle = own.pem\n",
	})
	c := FindConfigured(t.Context(), getenv)
	if want := []string{"http.https://api.example.com/.proxy", "http.proxy", "remote.origin.proxy"}; !slices.Equal(c.Git, want) {
		t.Errorf("git: %q, want %q", c.Git, want)
	}
	env, _ := environment(t, Environment{Parent: []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=own"}, Files: Files{Bundle: "/b"}, Configured: c})
	const proxy = "http://127.0.0.1:1"
	for name, want := range map[string]string{
		"PIP_PROXY": proxy, "YARN_HTTPS_PROXY": proxy, "YARN_HTTP_PROXY": proxy, "CARGO_HTTP_PROXY": "", "AWS_CA_BUNDLE": "/b",
		"GIT_CONFIG_COUNT": "4", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "own", "GIT_CONFIG_KEY_2": "http.proxy", "GIT_CONFIG_VALUE_2": proxy,
	} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
	// git reads it so.
	for _, of := range []string{"https://api.example.com/x", "https://other.example/x"} {
		cmd := exec.Command("git", "config", "--get-urlmatch", "http.proxy", of)
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(cmd.Env, "HOME="+getenv("HOME"), "PATH="+getenv("PATH"))
		if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != proxy {
			t.Errorf("git uses %q for %s, want %q (%v)", out, of, proxy, err)
		}
	}
}

func TestNothingConfigured(t *testing.T) {
	getenv := configHome(t, map[string]string{".gitconfig": "[user]\n\tname = n\n", ".cargo/config.toml": "", ".curlrc": "silent\n"})
	if c := FindConfigured(t.Context(), getenv); c.Git != nil || c.Variables != nil {
		t.Errorf("found %+v", c)
	}
	if c := UserCurlrc(getenv); c != nil {
		t.Errorf("curlrc %q", c)
	}
	env, _ := environment(t, Environment{Parent: []string{"GIT_CONFIG_COUNT=1"}})
	if env["GIT_CONFIG_COUNT"] != "1" || env["PIP_PROXY"] != "" || env["CURL_HOME"] != "" {
		t.Errorf("environment %v", env)
	}
}

func TestFilesOfUserLoseTheirProxies(t *testing.T) {
	getenv := configHome(t, map[string]string{
		".curlrc": "# own\nsilent\nproxy = \"http://corporate.example:3128\"\n-x corporate:1\n-xcorporate:1\n--noproxy \"*\"\nproxy-header = \"A: b\"\ncacert=own.pem\n-U user:password",
		".wgetrc": "tries = 3\nhttps_proxy = http://corporate.example:3128\nHTTP-Proxy=x\nuse_proxy = off\nproxy_password = secret\nca_certificate = own\ntimeout = 5",
	})
	if got, want := string(UserCurlrc(getenv)), "# own\nsilent\nproxy-header = \"A: b\"\n"; got != want {
		t.Errorf("curlrc %q, want %q", got, want)
	}
	if got, want := string(UserWgetrc(getenv)), "tries = 3\ntimeout = 5"; got != want {
		t.Errorf("wgetrc %q, want %q", got, want)
	}
}
