package sidecar

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// What another process stores is used, and after a logout requests are refused: a
// route never disappears while the process lives.
func TestReloadFollowsTheVault(t *testing.T) {
	r := start(t, nil)
	if got, err := r.apply(t, "one.acme.test"); got != "Bearer first" || err != nil {
		t.Errorf("at start: %q, %v", got, err)
	}
	r.login(t, "https://two.acme.test", "second", true)
	r.reload(t)
	if got, err := r.apply(t, "two.acme.test"); got != "Bearer second" || err != nil {
		t.Errorf("after a login: %q, %v", got, err)
	}
	if got, err := r.apply(t, "one.acme.test"); got != "" {
		t.Errorf("the previous host got %q", got)
	} else {
		wantRefusal(t, err, intercept.CodeVaultUnavailable)
	}
	if _, err := r.second.Logout(t.Context(), "acme", "default"); err != nil {
		t.Fatal(err)
	}
	r.reload(t)
	got, err := r.apply(t, "two.acme.test")
	if wantRefusal(t, err, intercept.CodeLoginRequired); got != "" {
		t.Errorf("after the logout: %q", got)
	}
	if d := r.Table().Request(http.MethodGet, "two.acme.test", 443, "/"); d.Reason != routing.LoginRequired {
		t.Errorf("after the logout the route is %s", d.Reason)
	}
}

// While the vault cannot be read, nothing is served from memory. Once it can be read
// again, its credentials are. The sidecar notices both by itself, and without a change of
// the generation.
func TestUnreadableVaultServesNothing(t *testing.T) {
	for _, lost := range []string{"profile/generation", "profile/vault", "profile/vault/KEYREGISTRY", "profile"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			r := start(t, nil)
			path := filepath.Join(r.dir, filepath.FromSlash(lost))
			away := filepath.Join(r.dir, "away")
			if err := os.Rename(path, away); err != nil {
				t.Fatal(err)
			}
			r.until(t, "the loss is noticed", func() bool { return r.readiness() != nil })
			got, err := r.apply(t, "one.acme.test")
			if wantRefusal(t, err, intercept.CodeVaultUnavailable); got != "" {
				t.Errorf("served %q", got)
			}
			if err := os.Rename(away, path); err != nil {
				t.Fatal(err)
			}
			r.until(t, "the vault is read again", func() bool { return r.readiness() == nil })
			if got, err := r.apply(t, "one.acme.test"); got != "Bearer first" || err != nil {
				t.Errorf("with the vault back: %q, %v", got, err)
			}
		})
	}
}

// A connection that was just replaced needs no action, so its answer has no fix; an
// unreadable vault has the same code and may have one.
func TestReplacedConnectionHasNoFix(t *testing.T) {
	r := start(t, nil)
	r.login(t, "https://two.acme.test", "second", true)
	r.reload(t)
	_, err := r.apply(t, "one.acme.test")
	if refused, ok := err.(*intercept.Refusal); !ok || !refused.NoFix || refused.Provider != "acme" || refused.Connection != "default" {
		t.Errorf("got %#v", err)
	}
	r.mu.Lock() // no reload until the end of the test
	defer r.mu.Unlock()
	failure := os.ErrNotExist
	r.unreadable.Store(&failure)
	_, err = r.apply(t, "two.acme.test")
	if refused, ok := err.(*intercept.Refusal); !ok || refused.NoFix || refused.RetryAfter != 1 {
		t.Errorf("got %#v", err)
	}
}

// A part of the sidecar that fails or panics ends neither the process nor silently: it
// is reported, and readiness ends.
func TestFailuresOfPartsAreReported(t *testing.T) {
	for name, part := range map[string]func() error{
		"error": func() error { return os.ErrClosed },
		"panic": func() error { panic("a defect") },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.supervise(part)
			r.supervise(part) // a second failure does not block
			select {
			case err := <-r.Failed():
				if err == nil || strings.Contains(err.Error(), "a defect") {
					t.Errorf("reported %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("nothing was reported")
			}
			if err := r.readiness(); err == nil {
				t.Error("the sidecar is ready")
			}
		})
	}
}

// The failures of vault and audit log are in the metrics.
func TestFailuresAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	var log *audit.Log
	r := start(t, func(r *rig, o *Options) {
		o.Metrics = metrics.New(registry)
		var err error
		if log, err = audit.Open(filepath.Join(r.dir, "audit.log"), audit.Options{}); err != nil {
			t.Fatal(err)
		}
		o.Audit = log
	})
	const damaged, failures = `authsome_vault_operations_total{operation="view",outcome="damaged"}`, `authsome_audit_failures_total{}`
	if before := samples(t, registry); before[damaged] != 0 || before[failures] != 0 {
		t.Fatalf("before any failure: %v", before)
	}
	if ok := samples(t, registry)[`authsome_vault_operations_total{operation="view",outcome="ok"}`]; ok == 0 {
		t.Error("the vault was read, and no operation is counted")
	}

	path := filepath.Join(r.dir, "profile", "generation")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := StoredAuthority(t.Context(), r.vault, filepath.Join(r.dir, "ca.pem"), ca.Options{CommonName: "test"}); err == nil {
		t.Error("a damaged vault was read")
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if status := r.get(t, "http://one.acme.test/"); status != http.StatusForbidden {
		t.Fatalf("status %d, want a refusal, which is recorded", status)
	}
	if after := samples(t, registry); after[damaged] == 0 || after[failures] == 0 {
		t.Errorf("after failures of both: %v", after)
	}
}

// samples returns the counters and gauges of a registry, as NAME{LABELS}.
func samples(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			values[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.Counter.GetValue() + m.Gauge.GetValue()
		}
	}
	return values
}

// The stored authority is made once, and its certificate is written again if the
// file is missing.
func TestStoredAuthorityIsPermanent(t *testing.T) {
	r := start(t, nil)
	path := filepath.Join(r.dir, "ca.pem")
	first, err := StoredAuthority(t.Context(), r.vault, path, ca.Options{CommonName: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := StoredAuthority(t.Context(), r.second.Vault, path, ca.Options{CommonName: "second"})
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil || string(written) != string(first.CertificatePEM()) || string(second.CertificatePEM()) != string(written) {
		t.Errorf("the certificate is missing or is another one: %v", err)
	}
}

// Captured listeners are served from Start to Drain, behind the fence, and private ones
// without a token.
func TestCapturedListeners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	usage := new(Usage)
	r := start(t, func(_ *rig, o *Options) {
		o.Captured, o.Private, o.RequireToken, o.Token = []net.Listener{l}, true, true, secret.New("the token")
		o.Capture.Name = func(netip.Addr) (string, bool) { return "one.acme.test", true }
		o.Fence, o.Usage = &intercept.Fence{}, usage
	})
	code := func(host string) string {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = host
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		response, err := transport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.Header.Get("X-Authsome-Error")
	}
	if got := code("one.acme.test"); got != string(intercept.CodeHTTPSRequired) {
		t.Errorf("an intercepted host was answered %q", got)
	}
	if got := code("other.test"); got != string(intercept.CodeNotAllowed) {
		t.Errorf("another host was answered %q", got)
	}
	if status := r.get(t, "http://one.acme.test/"); status != http.StatusForbidden {
		t.Errorf("the proxy's own listener answered %d", status)
	}
	closed := fmt.Sprint("other.test:", l.Addr().(*net.TCPAddr).Port)
	if got := usage.Report().NotAllowed; len(got) != 1 || got[0] != (Count[string]{closed, 1}) {
		t.Errorf("counted %v, want %s once", got, closed)
	}
	if err := r.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the captured listener is open after Drain")
	}
}
