package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const plainHost = "plain.upstream.test"

// moved lists series that TestMetrics changes, in addition to one of each metric.
var moved = []struct{ metric, labels string }{
	{"authsome_requests_total", "provider=upstream code=2xx"},
	{"authsome_requests_total", "provider=none code=4xx"}, // plain http
	{"authsome_injections_total", "provider=upstream"},
	{"authsome_bytes_total", "kind=request direction=sent"},
	{"authsome_bytes_total", "kind=request direction=received"},
	{"authsome_bytes_total", "kind=tunnel direction=sent"},
	{"authsome_bytes_total", "kind=tunnel direction=received"},
	{"authsome_answers_total", "code=https_required"},
	{"authsome_answers_total", "code=authority_mismatch"},
	{"authsome_answers_total", "code=login_required"},
	{"authsome_answers_total", "code=refresh_unavailable"},
	{"authsome_answers_total", "code=vault_unavailable"},
	{"authsome_answers_total", "code=upstream_tls"},
	{"authsome_misses_total", "provider=upstream reason=https_required"},
	{"authsome_strangers_total", "outcome=refused"},
	{"authsome_refreshes_total", "provider=renewed outcome=refreshed"},
	{"authsome_refreshes_total", "provider=refused outcome=invalid"},
	{"authsome_refreshes_total", "provider=down outcome=transient"},
	{"authsome_connection_expiry_seconds", "provider=renewed connection=default"},
	{"authsome_connection_unusable_since_seconds", "provider=refused connection=default status=invalid"},
	{"authsome_vault_operations_total", "operation=view outcome=ok"},
	{"authsome_vault_operations_total", "operation=view outcome=damaged"},
	{"authsome_vault_operations_total", "operation=update outcome=ok"},
	{"authsome_reloads_total", "outcome=ok"},
	{"authsome_reloads_total", "outcome=error"},
}

// TestMetrics provokes everything that is measured, and compares the metrics with
// the tables of docs/sidecar.md.
func TestMetrics(t *testing.T) {
	r := newRig(t)
	connectRefreshing(r)
	breakAuditLog(r)
	p := r.startProxy("--connect-to", plainHost+":80:"+strings.TrimPrefix(r.control, "http://"))
	c := p.client()
	sendRequests(t, c)
	refuseStranger(t, p)
	damageVault(t, r, p, c)
	rejected, err := c.Get("https://" + routeHost + "/rejected") // a later success would clear it
	if err != nil || rejected.StatusCode != http.StatusUnauthorized {
		t.Fatalf("%v, %v", rejected, err)
	}
	rejected.Body.Close()

	tunnel := openTunnel(t, c) // still open while the metrics are read
	defer tunnel.Close()
	documented := readDocumentedMetrics(t)
	var got map[string]*metric
	var missing []string
	for deadline := time.Now().Add(limit / 4); ; { // a request is recorded after its response
		got = p.metrics()
		if missing = unmoved(documented, got); len(missing) == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, name := range missing {
		t.Errorf("%s is zero or absent", name)
	}
	for name, m := range got {
		d, ok := documented[name]
		if !ok {
			t.Errorf("docs/sidecar.md does not have %s", name)
			continue
		}
		for _, s := range m.series {
			d.check(t, name, s)
		}
	}
}

// unmoved returns the documented metrics, and the series in moved, that are zero or
// absent.
func unmoved(documented map[string]*documentedMetric, got map[string]*metric) []string {
	var missing []string
	for name := range documented {
		if !got[name].moved("") {
			missing = append(missing, name)
		}
	}
	for _, m := range moved {
		if !got[m.metric].moved(m.labels) {
			missing = append(missing, m.metric+" "+m.labels)
		}
	}
	slices.Sort(missing)
	return missing
}

// refreshing is an authorization server with the device flow. Access tokens from
// a login expire at once; the path says how a refresh ends.
func refreshing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	const token = `{"access_token":"access","refresh_token":"refresh","token_type":"Bearer","expires_in":%d}`
	refresh := r.FormValue("grant_type") == "refresh_token"
	switch provider, endpoint, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); {
	case endpoint == "device":
		fmt.Fprintf(w, `{"device_code":"device","user_code":"CODE","verification_uri":"http://%s/enter","expires_in":60,"interval":0.01}`, r.Host)
	case !refresh:
		fmt.Fprintf(w, token, 1)
	case provider == "renewed":
		fmt.Fprintf(w, token, 3600)
	case provider == "refused":
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_grant"}`)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// connectRefreshing connects the providers renewed, refused and down, which are
// named after what happens to a refresh of their token.
func connectRefreshing(r *rig) {
	r.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(refreshing))
	r.t.Cleanup(server.Close)
	for _, name := range []string{"renewed", "refused", "down"} {
		definition := fmt.Sprintf(`{"schema_version":2,"name":%[1]q,"flows":["device_code"],"hosts":["api.%[1]s.test"],"oauth":{"authorization_url":"%[2]s/authorize",
			"token_url":"%[2]s/%[1]s/token","device_authorization_url":"%[2]s/%[1]s/device","client_id":"public","token_auth":"none"}}`, name, server.URL)
		r.authsome(definition, "register", "-", "--yes")
		r.authsome("", "login", name, "--no-browser", "--no-verify")
	}
	time.Sleep(time.Second) // until the tokens have expired
}

// breakAuditLog makes the audit log a file on a full disk.
func breakAuditLog(r *rig) {
	r.t.Helper()
	log := filepath.Join(r.home, "audit.log")
	if err := os.Remove(log); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", log); err != nil {
		r.t.Fatal(err)
	}
}

// sendRequests sends requests that succeed, fail, are refused, and are aborted.
func sendRequests(t *testing.T, c *http.Client) {
	t.Helper()
	for _, q := range []struct {
		method, url, host string
		status            int
	}{
		{"POST", "https://" + routeHost + "/up", "", http.StatusOK},
		{"POST", "https://" + otherHost + "/up", "", http.StatusOK},
		{"GET", "https://" + routeHost + "/echo", "", http.StatusOK},
		{"GET", "https://" + routeHost + "/echo?coding=br", "", http.StatusOK},
		{"GET", "http://" + plainHost + "/nothing", "", http.StatusNotFound},
		{"GET", "http://" + routeHost + "/x", "", http.StatusForbidden},
		{"GET", "https://" + routeHost + "/x", "elsewhere.test", http.StatusMisdirectedRequest},
		{"GET", "https://api.renewed.test/x", "", http.StatusBadGateway}, // the upstream has no certificate for it
		{"GET", "https://api.refused.test/x", "", http.StatusForbidden},
		{"GET", "https://api.down.test/x", "", http.StatusServiceUnavailable},
	} {
		request, err := http.NewRequest(q.method, q.url, strings.NewReader("some bytes"))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = q.host
		response, err := c.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != q.status {
			t.Errorf("%s %s: %s, %v, want %d: %s", q.method, q.url, response.Status, err, q.status, body)
		}
	}
	c.CloseIdleConnections() // a tunnel is counted when it ends
	response, err := c.Get("https://" + routeHost + "/down?n=1000000000")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() // aborts it
}

// damageVault changes a byte of the store until the proxy has noticed.
func damageVault(t *testing.T, r *rig, p *proxyProcess, c *http.Client) {
	t.Helper()
	store := filepath.Join(r.home, "profiles", "default", "vault", "000001.sst")
	sound, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(sound)
	damaged[len(damaged)/2] ^= 1
	for _, step := range []struct {
		content []byte
		status  int // of requests, once the proxy has read the store again
	}{{damaged, http.StatusServiceUnavailable}, {sound, http.StatusOK}} {
		if err := os.WriteFile(store, step.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
			response, err := c.Get("https://" + routeHost + "/x")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode == step.status {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s, want %d", response.Status, step.status)
			}
		}
	}
}

// openTunnel begins a response from a host that is passed through.
func openTunnel(t *testing.T, c *http.Client) io.Closer {
	t.Helper()
	response, err := c.Get("https://" + otherHost + "/down?n=1000000000")
	if err != nil {
		t.Fatal(err)
	}
	return response.Body
}

// refuseStranger sends a request as another user.
func refuseStranger(t *testing.T, p *proxyProcess) {
	t.Helper()
	out, err := exec.Command(need(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups",
		need(t, "curl"), "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-x", "http://"+p.address, "http://"+plainHost+"/").Output()
	if err != nil || string(out) != "403" {
		t.Errorf("another user was answered %s, %v", out, err)
	}
}
