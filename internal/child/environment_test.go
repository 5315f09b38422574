package child

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/ca"
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
		if _, duplicate := env[name]; duplicate {
			t.Errorf("%s occurs twice", name)
		}
		env[name] = value
	}
	return env, dropped
}

func TestEnvironment(t *testing.T) {
	const proxy = "http://authsome:tok@127.0.0.1:1234"
	env, dropped := environment(t, Environment{
		Parent: []string{
			"KEEP=1", "KEEP=2", "EMPTY=", "WITH=a=b", "OPENAI_API_KEY=real", "AUTHSOME_HOME=h", "HTTPS_PROXY=http://corporate:1", "http_proxy=http://corporate:1",
			"AUTHSOME_PROXY_TOKEN=t", "AUTHSOME_MASTER_KEY_FILE=f", "AUTHSOME_PASSPHRASE_FILE=p", "SSLKEYLOGFILE=k",
			"SSL_CERT_DIR=d", "SSL_CERT_FILE=own", "NODE_EXTRA_CA_CERTS=own", "npm_config_cafile=own", "NPM_CONFIG_HTTPS_PROXY=http://corporate:1", "LEFT_OVER=real", "Npm_Config_CaFile=own", "NIX_SSL_CERT_FILE=own", "WGETRC=own", "NODE_OPTIONS=--max-old-space-size=100",
		},
		Proxy: &url.URL{Scheme: "http", Host: "127.0.0.1:1234", User: url.UserPassword("authsome", "tok")},
		Files: Files{Bundle: "/b", Authority: "/a", Wgetrc: "/w", Node: `/a "b\c`},
		Unset: []string{"LEFT_OVER"},
		// A provider's definition cannot replace our own variables.
		Placeholders: map[string]string{"OPENAI_API_KEY": "placeholder", "NEW_TOKEN": "placeholder", "HTTPS_PROXY": "elsewhere", "NO_PROXY": "*", "SSL_CERT_FILE": "elsewhere"},
	})
	for name, want := range map[string]string{
		"KEEP": "1", "EMPTY": "", "WITH": "a=b", "OPENAI_API_KEY": "placeholder", "NEW_TOKEN": "placeholder", "AUTHSOME_HOME": "h", ModeVariable: "true",
		"HTTP_PROXY": proxy, "http_proxy": proxy, "HTTPS_PROXY": proxy, "https_proxy": proxy, "ALL_PROXY": proxy, "all_proxy": proxy, "grpc_proxy": proxy, "ws_proxy": proxy, "wss_proxy": proxy, "npm_config_proxy": proxy, "npm_config_https_proxy": proxy,
		"npm_config_noproxy": "localhost,127.0.0.1,::1", "MOJO_PROXY": "1",
		"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1",
		"PERL_LWP_ENV_PROXY": "1", "GIT_HTTP_PROXY_AUTHMETHOD": "basic",
		"SSL_CERT_FILE": "/b", "REQUESTS_CA_BUNDLE": "/b", "CURL_CA_BUNDLE": "/b", "GIT_SSL_CAINFO": "/b", "PIP_CERT": "/b", "BUNDLE_SSL_CA_CERT": "/b", "HEX_CACERTS_PATH": "/b", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": "/b",
		"CARGO_HTTP_CAINFO": "/b", "NPM_CONFIG_CAFILE": "/b", "HTTPLIB2_CA_CERTS": "/b", "PERL_LWP_SSL_CA_FILE": "/b", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/b",
		"NIX_SSL_CERT_FILE": "/b", "NODE_EXTRA_CA_CERTS": "/a", "DENO_CERT": "/a", "WGETRC": "/w",
		"NODE_OPTIONS": `--max-old-space-size=100 --require "/a \"b\\c"`, "BUN_OPTIONS": `"--preload=/a "b\c"`,
	} {
		if got, set := env[name]; got != want || !set {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
		delete(env, name)
	}
	for name, value := range env {
		t.Errorf("%s=%s reaches the child", name, value)
	}
	if want := []Dropped{{"*"}}; !slices.Equal(dropped, want) {
		t.Errorf("dropped %v, want %v", dropped, want)
	}
}

// With their files, runtimes get settings in addition to the user's own.
func TestEnvironmentForRuntimes(t *testing.T) {
	env, _ := environment(t, Environment{
		Parent: []string{"JAVA_TOOL_OPTIONS=-Xmx1g", "PHP_INI_SCAN_DIR=/own", "NO_PROXY=.corp.test,*.wild.test,10.0.0.1,10.0.0.0/8,host:8080,bare,a'b", "PYTHONPATH=/modules:/more"},
		Files:  Files{Java: "/with space/t.p12", PHP: "/php", Python: "/python"},
	})
	const hosts = "127.*|[::1]|corp.test|*.corp.test|wild.test|*.wild.test|10.0.0.1|bare|localhost|127.0.0.1"
	const want = `-Xmx1g -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1 -Dhttp.nonProxyHosts=` + hosts +
		` "-Djavax.net.ssl.trustStore=/with space/t.p12" -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit`
	if got := env["JAVA_TOOL_OPTIONS"]; got != want {
		t.Errorf("JAVA_TOOL_OPTIONS=%s\nwant %s", got, want)
	}
	if got := env["PHP_INI_SCAN_DIR"]; got != "/own:/php" {
		t.Errorf("PHP_INI_SCAN_DIR=%s", got)
	}
	if got := env["PYTHONPATH"]; got != "/python:/modules:/more" {
		t.Errorf("PYTHONPATH=%s", got)
	}
	env, _ = environment(t, Environment{Parent: []string{"PYTHONPATH="}, Files: Files{Python: "/python"}})
	if got := env["PYTHONPATH"]; got != "/python" {
		t.Errorf("PYTHONPATH=%s", got)
	}
	env, _ = environment(t, Environment{Files: Files{PHP: "/php"}})
	if got, set := env["JAVA_TOOL_OPTIONS"]; set || env["PHP_INI_SCAN_DIR"] != ":/php" {
		t.Errorf("JAVA_TOOL_OPTIONS=%s PHP_INI_SCAN_DIR=%s", got, env["PHP_INI_SCAN_DIR"])
	}
}

func TestEnvironmentWithoutToken(t *testing.T) {
	if env, _ := environment(t, Environment{}); env["HTTPS_PROXY"] != "http://127.0.0.1:1" || env["GIT_HTTP_PROXY_AUTHMETHOD"] != "" {
		t.Errorf("%v", env)
	}
}

// The roots in a file that the parent's variables name are also in the child's files.
func TestReplacedRootsAreKept(t *testing.T) {
	a, err := ca.New(ca.Options{CommonName: "user"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "own.pem")
	if err := os.WriteFile(file, a.CertificatePEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(bundleVariables, bundleVariablesIfSet, extraRootVariables, []string{"npm_config_cafile"}) {
		getenv := func(asked string) string { return map[string]string{name: file}[asked] }
		roots, err := ca.ExtraRoots(getenv)
		if err != nil {
			t.Error(err)
		}
		if name == "SSL_CERT_FILE" { // replaces the system's roots
			if roots, err = ca.SystemRoots(getenv); err != nil {
				t.Error(err)
			}
		}
		if !bytes.Equal(roots, a.CertificatePEM()) {
			t.Errorf("%s: %s", name, roots)
		}
	}
}
