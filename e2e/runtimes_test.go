package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const javaClient = `
import java.net.*; import java.net.http.*;
class Client { public static void main(String[] a) throws Exception {
  for (String host : new String[] {"api.upstream.test", "other.upstream.test"}) {
    var request = HttpRequest.newBuilder(URI.create("https://" + host + "/x")).header("Authorization", "Bearer " + System.getenv("UPSTREAM_API_KEY")).build();
    System.out.println(host + " " + HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
  }
  System.out.println("old " + ((HttpURLConnection) new URL("https://api.upstream.test/x").openConnection()).getResponseCode());
} }
`

// TestTrust runs programs of runtimes that need --trust in addition to the usual
// variables. They connect to an intercepted host and to one that is passed through.
func TestTrust(t *testing.T) {
	for _, tt := range []struct {
		runtime   string
		argv      func(*testing.T, *rig) []string
		requests  int    // with the credential
		untrusted string // what the program prints without --trust; "" skips this check
	}{
		{"java", func(t *testing.T, r *rig) []string {
			file := filepath.Join(r.tmp, "Client.java")
			if err := os.WriteFile(file, []byte(javaClient), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{need(t, "java"), file}
		}, 2, "UnresolvedAddressException"},
	} {
		t.Run(tt.runtime, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			argv := tt.argv(t, r)
			out := r.run(nil, append([]string{"--trust=" + tt.runtime}, argv...)...)
			if !strings.Contains(out, "api.upstream.test 200") || !strings.Contains(out, "other.upstream.test") {
				t.Errorf("the program printed %s", out)
			}
			authorized := 0
			for _, a := range r.arrivals() {
				if a.Authorized && a.Host == routeHost {
					authorized++
				}
			}
			if authorized != tt.requests {
				t.Errorf("%d requests had the credential, want %d", authorized, tt.requests)
			}
			if tt.untrusted != "" {
				// The control: without --trust the program fails.
				if out, err := r.command(nil, argv...).CombinedOutput(); err == nil || !strings.Contains(string(out), tt.untrusted) {
					t.Errorf("without --trust: %v %s", err, out)
				}
			}
		})
	}
}

// scriptClients runs a script that requests a path for each client, and returns what it
// printed, and the paths that arrived with the credential.
func (r *rig) scriptClients(env []string, client ...string) (out string, authorized map[string]int) {
	r.t.Helper()
	combined, err := r.command(env, client...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", client, err, combined)
	}
	authorized = make(map[string]int)
	for _, a := range r.arrivals() {
		if a.Authorized && a.Host == routeHost {
			authorized[strings.TrimPrefix(a.Path, "/")]++
		}
	}
	return string(combined), authorized
}

func runtimeScript(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("runtimes", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Every client of Python reaches an intercepted host with --trust python, and none of
// these does without it.
func TestTrustPython(t *testing.T) {
	const python = "/usr/bin/python3" // which has Debian's packages
	r := newRig(t)
	env := []string{"PINNED_ROOTS=" + r.ca}
	clients := []string{"http_client", "urllib3_pool", "requests_certifi", "requests_without_environment", "httpx_certifi", "aiohttp_default", "aiohttp_connector", "asyncio_streams", "websockets_client", "httplib2_client", "process_pool"}
	out, authorized := r.scriptClients(env, "--trust=python", python, runtimeScript(t, "clients.py"), routeHost)
	for _, client := range clients {
		path := strings.Replace(client, "websockets_client", "socket", 1)
		if !strings.Contains(out, client+" 200\n") || authorized[path] == 0 {
			t.Errorf("%s did not get the credential: %v\n%s", client, authorized, out)
		}
	}
	out, authorized = r.scriptClients(env, python, runtimeScript(t, "clients.py"), routeHost)
	if failed := regexp.MustCompile(`(?m)^\w+ failed: `).FindAllString(out, -1); len(authorized) > 0 || len(failed) != len(clients) {
		t.Errorf("without --trust: %v\n%s", authorized, out)
	}
}

// PHP's curl and its streams reach an intercepted host with --trust php.
func TestTrustPHP(t *testing.T) {
	r := newRig(t)
	clients := []string{"curl", "fopen", "post", "copy", "default", "global"}
	out, authorized := r.scriptClients(nil, "--trust=php", need(t, "php"), runtimeScript(t, "clients.php"), routeHost)
	for _, client := range clients {
		if !strings.Contains(out, client+" 200\n") || authorized[client] == 0 {
			t.Errorf("%s did not get the credential: %v\n%s", client, authorized, out)
		}
	}
	out, authorized = r.scriptClients(nil, need(t, "php"), runtimeScript(t, "clients.php"), routeHost)
	delete(authorized, "curl")
	if len(authorized) > 0 || strings.Count(out, " 200\n") > 1 {
		t.Errorf("without --trust: %v\n%s", authorized, out)
	}
}

// What a program does not send to the proxy itself stays as it is: loopback, the hosts in
// NO_PROXY, another proxy, unix sockets. The settings of the user stay in effect too.
func TestTrustKeeps(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"sitecustomize.py": "print('sitecustomize of the user')\n", "usermodule.py": "",
		"user.ini": "auto_prepend_file = " + filepath.Join(dir, "prepend.php") + "\n", "prepend.php": "<?php echo \"prepend of the user\\n\";\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"NO_PROXY=excluded.test", "PYTHONPATH=" + dir, "PHP_INI_SCAN_DIR=:" + dir}
	const refused, unknown = "(ConnectionRefusedError|.*refused|.*Cannot connect to host|.*Connect call failed)", "(gaierror|.*Name or service not known)"
	for _, tt := range []struct {
		args []string
		want map[string]string // patterns of the lines that begin with a name
	}{
		{[]string{"/usr/bin/python3", runtimeScript(t, "clients.py"), "direct"}, map[string]string{
			"direct_loopback": refused, "direct_loopback_pool": refused, "direct_loopback_asyncio": refused, "direct_loopback_aiohttp": refused,
			"direct_excluded": unknown, "direct_excluded_asyncio": unknown, "direct_own_proxy": "ProxyError", "direct_own_proxy_pool": "ProxyError",
			"direct_own_proxy_aiohttp": "ClientProxyConnectionError", "direct_unix_socket": "UnixClientConnectorError",
		}},
		{[]string{need(t, "php"), runtimeScript(t, "clients.php"), "direct"}, map[string]string{
			"loopback": refused, "plain": refused, "own_proxy": refused, "excluded": ".*getaddrinfo",
		}},
	} {
		out, _ := r.scriptClients(env, append([]string{"--trust=python,php"}, tt.args...)...)
		for name, pattern := range tt.want {
			if !regexp.MustCompile(`(?m)^` + name + ` failed: ` + pattern).MatchString(out) {
				t.Errorf("%s does not match %q:\n%s", name, pattern, out)
			}
		}
		if !strings.Contains(out, " of the user\n") {
			t.Errorf("the settings of the user are lost:\n%s", out)
		}
	}
	// The module of the user can be imported, and the path has no directory of authsome.
	if out := r.run(env, "--trust=all", "/usr/bin/python3", "-c", "import usermodule, sys; print(sys.path)"); strings.Contains(out, "authsome-run") {
		t.Errorf("the path is %s", out)
	}
}

// Chromium reaches an intercepted host with --trust chromium, and its user's database does
// not trust the authority after the run.
func TestTrustChromium(t *testing.T) {
	r := newRig(t)
	chromium := []string{need(t, "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "https://" + routeHost + "/x"}
	if out := r.run(nil, append([]string{"--trust=chromium"}, chromium...)...); !strings.Contains(out, "hello from "+routeHost) {
		t.Errorf("Chromium printed %s", out)
	}
	r.wantAuthorized("/x")
	database := filepath.Join(r.tmp, ".pki", "nssdb")
	list := func() string {
		out, err := exec.Command(need(t, "certutil"), "-L", "-d", "sql:"+database).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if strings.Contains(list(), "authsome") {
		t.Errorf("after the run: %s", list())
	}
	if out := r.run(nil, "--trust=chromium", need(t, "certutil"), "-L", "-d", "sql:"+database); !strings.Contains(out, "authsome run authority ") {
		t.Errorf("during the run: %s", out)
	}
	if out, _ := r.command(nil, chromium...).Output(); strings.Contains(string(out), "hello") {
		t.Errorf("without --trust, Chromium printed %s", out)
	}
}

// wantAuthorized checks that a request for path arrived with the credential, and no
// request without it.
func (r *rig) wantAuthorized(path string) {
	r.t.Helper()
	found := false
	for _, a := range r.arrivals() {
		found = found || a.Path == path
		if !a.Authorized {
			r.t.Errorf("arrived without the credential: %+v", a)
		}
	}
	if !found {
		r.t.Errorf("no request for %s arrived with the credential", path)
	}
}

// The files of the runtimes have no key, during the run.
func TestTrustFilesHaveNoKey(t *testing.T) {
	r := newRig(t)
	out := r.run(nil, "--trust=all", "sh", "-c", `cd "$(dirname "$SSL_CERT_FILE")" && find . -type f -exec cat {} +`)
	if strings.Contains(out, r.key) || !strings.Contains(out, "class HttpsStream") || !strings.Contains(out, "def change_ssl") {
		t.Errorf("the files have the key, or are not found: %d bytes", len(out))
	}
}
