package metrics_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// record calls each method at least once.
func record(m *metrics.Metrics) {
	m.Providers("github", "openai")
	m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: "github", Injected: true, Reason: routing.Matched, Status: 200,
		Added: 60 * time.Microsecond, FirstByte: 30 * time.Millisecond, Duration: 2 * time.Second, Sent: 10, Received: 2000, Masked: 3, Unscanned: true})
	m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: "github", Reason: routing.PathOutside, Status: 404, Aborted: true})
	m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: "github", Reason: routing.LoginRequired, Code: intercept.CodeLoginRequired, Status: 403})
	m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: "openai", Injected: true, Code: intercept.CodeUpstreamTimeout, Status: 504})
	m.Exchange(intercept.Exchange{Kind: intercept.KindPlain, Status: 301, Received: 5})
	m.Exchange(intercept.Exchange{Kind: intercept.KindTunnel, Reason: routing.NoRoute, Sent: 100, Received: 200})
	m.Exchange(intercept.Exchange{Kind: intercept.KindRefused, Code: intercept.CodeProxyAuthRequired, Status: 407, Stranger: true})
	m.Exchange(intercept.Exchange{Kind: intercept.KindRefused, Stranger: true})
	m.Refresh(auth.Refresh{Provider: "github", Outcome: auth.RefreshDone, Duration: 300 * time.Millisecond})
	m.VaultOperation(vault.OperationView, vault.OutcomeOK)
	m.Reload(true)
	m.Reload(false)
	m.Leaf()
	m.Routes(7)
	m.BuildInfo("v1.2.3", "abc")
	m.ConnectionExpiry([]metrics.Expiry{{Provider: "github", Connection: "work", At: time.Now().Add(time.Hour)}})
	m.Active(func() int { return 3 }, func() int { return 2 })
	m.AuditFailures(func() uint64 { return 4 })
}

func TestNamesFollowTheConventions(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	record(metrics.New(reg))
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// exposition is what record leads to.
const exposition = `
# HELP authsome_active_connections Open connections of clients.
# TYPE authsome_active_connections gauge
authsome_active_connections 3
# HELP authsome_active_tunnels Open connections that are passed through.
# TYPE authsome_active_tunnels gauge
authsome_active_tunnels 2
# HELP authsome_answers_total Answers that the proxy gave itself instead of an upstream, by error code.
# TYPE authsome_answers_total counter
authsome_answers_total{code="login_required"} 1
authsome_answers_total{code="proxy_auth_required"} 1
authsome_answers_total{code="upstream_timeout"} 1
# HELP authsome_audit_failures_total Episodes in which the audit log could not be written or lost events.
# TYPE authsome_audit_failures_total counter
authsome_audit_failures_total 4
# HELP authsome_bytes_total Bytes forwarded: of bodies for requests, all bytes for tunnels.
# TYPE authsome_bytes_total counter
authsome_bytes_total{direction="received",kind="request"} 2005
authsome_bytes_total{direction="received",kind="tunnel"} 200
authsome_bytes_total{direction="sent",kind="request"} 10
authsome_bytes_total{direction="sent",kind="tunnel"} 100
# HELP authsome_connection_expiry_seconds Seconds until the credential of a connection expires; negative once it has.
# TYPE authsome_connection_expiry_seconds gauge
authsome_connection_expiry_seconds{connection="work",provider="github"} 3600
# HELP authsome_echo_masked_total Secrets that were masked in responses.
# TYPE authsome_echo_masked_total counter
authsome_echo_masked_total{provider="github"} 3
authsome_echo_masked_total{provider="none"} 0
authsome_echo_masked_total{provider="openai"} 0
authsome_echo_masked_total{provider="other"} 0
# HELP authsome_echo_unscanned_total Responses that were encoded although the request asked for identity, so that secrets in the body were not masked.
# TYPE authsome_echo_unscanned_total counter
authsome_echo_unscanned_total{provider="github"} 1
authsome_echo_unscanned_total{provider="none"} 0
authsome_echo_unscanned_total{provider="openai"} 0
authsome_echo_unscanned_total{provider="other"} 0
# HELP authsome_injections_total Requests that got a credential.
# TYPE authsome_injections_total counter
authsome_injections_total{provider="github"} 1
authsome_injections_total{provider="none"} 0
authsome_injections_total{provider="openai"} 1
authsome_injections_total{provider="other"} 0
# HELP authsome_leaves_minted_total Certificates made for intercepted hosts.
# TYPE authsome_leaves_minted_total counter
authsome_leaves_minted_total 1
# HELP authsome_misses_total Requests and connections to the proxy that got no credential, by reason.
# TYPE authsome_misses_total counter
authsome_misses_total{provider="github",reason="login_required"} 1
authsome_misses_total{provider="github",reason="path_outside"} 1
authsome_misses_total{provider="none",reason="proxy_auth_required"} 1
# HELP authsome_refreshes_total Attempts to refresh a token, by outcome.
# TYPE authsome_refreshes_total counter
authsome_refreshes_total{outcome="refreshed",provider="github"} 1
# HELP authsome_reloads_total Reloads of routes and credentials.
# TYPE authsome_reloads_total counter
authsome_reloads_total{outcome="error"} 1
authsome_reloads_total{outcome="ok"} 1
# HELP authsome_requests_aborted_total Requests that ended before their response was complete.
# TYPE authsome_requests_aborted_total counter
authsome_requests_aborted_total 1
# HELP authsome_routes Host patterns that are intercepted.
# TYPE authsome_routes gauge
authsome_routes 7
# HELP authsome_strangers_total Clients that did not show that they may use the proxy, by outcome.
# TYPE authsome_strangers_total counter
authsome_strangers_total{outcome="dropped"} 1
authsome_strangers_total{outcome="refused"} 1
# HELP authsome_tunnels_total Finished connections that were passed through.
# TYPE authsome_tunnels_total counter
authsome_tunnels_total 1
# HELP authsome_vault_operations_total Operations on the vault, by outcome.
# TYPE authsome_vault_operations_total counter
authsome_vault_operations_total{operation="view",outcome="ok"} 1
`

func TestExposition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that no time passes
		reg := prometheus.NewPedanticRegistry()
		record(metrics.New(reg))
		names := []string{}
		for text := range strings.Lines(exposition) {
			if name, ok := strings.CutPrefix(text, "# TYPE "); ok {
				name, _, _ = strings.Cut(name, " ")
				names = append(names, name)
			}
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(exposition), names...); err != nil {
			t.Error(err)
		}
	})
}

// value returns the value of the counter, or the count of the histogram, with exactly
// these labels.
func value(tb testing.TB, reg prometheus.Gatherer, name string, labels ...string) float64 {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.Metric {
			var got []string
			for _, l := range s.Label {
				got = append(got, l.GetName()+"="+l.GetValue())
			}
			if f.GetName() == name && strings.Join(got, " ") == strings.Join(labels, " ") {
				return s.Counter.GetValue() + float64(s.Histogram.GetSampleCount())
			}
		}
	}
	tb.Errorf("no series %s %v", name, labels)
	return 0
}

func TestRequestSeries(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	record(metrics.New(reg))
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"authsome_requests_total", []string{"code=2xx", "provider=github"}, 1},
		{"authsome_requests_total", []string{"code=4xx", "provider=github"}, 2},
		{"authsome_requests_total", []string{"code=5xx", "provider=openai"}, 1},
		{"authsome_requests_total", []string{"code=3xx", "provider=none"}, 1},
		{"authsome_requests_total", []string{"code=none", "provider=none"}, 0},
		{"authsome_request_duration_seconds", []string{"provider=github"}, 3},
		{"authsome_added_latency_seconds", []string{"provider=github"}, 1},
		{"authsome_time_to_first_byte_seconds", []string{"provider=github"}, 1},
		{"authsome_refresh_duration_seconds", []string{"outcome=refreshed"}, 1},
	} {
		if got := value(t, reg, test.name, test.labels...); got != test.want {
			t.Errorf("%s %v = %v, want %v", test.name, test.labels, got, test.want)
		}
	}
}

func countSeries(tb testing.TB, reg prometheus.Gatherer) int {
	tb.Helper()
	n, err := testutil.GatherAndCount(reg)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Once each known value was seen, no other value adds a series.
func TestUnknownValuesMakeNoSeries(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg)
	record(m)
	hostile := func(i int) {
		x := fmt.Sprintf("x%d\xff\n", i)
		m.Exchange(intercept.Exchange{Kind: intercept.Kind(x), Provider: x, Reason: routing.Reason(x), Code: intercept.Code(x), Status: i * 7919})
		m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: x, Reason: routing.Reason(x), Status: -i, Sent: -1, Received: -1})
		m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: "github", Reason: routing.Reason(x)})
		m.Refresh(auth.Refresh{Provider: x, Outcome: x, Duration: -time.Second})
		m.VaultOperation(vault.Operation(x), vault.Outcome(x))
		m.BuildInfo("v"+x, x)
	}
	hostile(1)
	before := countSeries(t, reg)
	for i := range 2000 {
		hostile(i)
	}
	if after := countSeries(t, reg); after != before {
		t.Errorf("the number of series grew from %d to %d", before, after)
	}
	if got := value(t, reg, "authsome_misses_total", "provider=github", "reason=other"); got != 2001 {
		t.Errorf("%v misses of unknown reason, want 2001", got)
	}

	many := make([]string, 5000)
	expiries := make([]metrics.Expiry, 5000)
	for i := range many {
		many[i] = fmt.Sprint("p", i)
		expiries[i] = metrics.Expiry{Provider: many[i], Connection: "c", At: time.Now()}
	}
	m.Providers(many...)
	m.Providers(strings.Repeat("x", 65), "\xff", "github")
	m.ConnectionExpiry(append(expiries, metrics.Expiry{Provider: "p", Connection: "\xff", At: time.Now()}))
	n, err := testutil.GatherAndCount(reg, "authsome_connection_expiry_seconds")
	if err != nil || n != 1024 {
		t.Errorf("%d expiries, %v; want the first 1024", n, err)
	}
	if n, err = testutil.GatherAndCount(reg, "authsome_injections_total"); err != nil || n != 256 {
		t.Errorf("%d providers, %v; want the first 256", n, err)
	}
}

func TestConnectionExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := metrics.New(reg)
		at := time.Now().Add(time.Minute)
		m.ConnectionExpiry([]metrics.Expiry{
			{Provider: "a", Connection: "x", At: at}, {Provider: "a", Connection: "x", At: at}, {Provider: "a", Connection: "key"},
			{Provider: "b", Connection: "y", At: at.Add(time.Hour)}, {Provider: "b", Connection: "z", At: at, Renewable: true},
			{Provider: "c", Connection: "x", Status: auth.StatusInvalid, Since: time.Unix(1700000000, 0)}, {Provider: "c", Connection: "y", Status: "melted"},
		})
		time.Sleep(2 * time.Minute)
		const want = `
# HELP authsome_connection_expiry_seconds Seconds until the credential of a connection expires; negative once it has.
# TYPE authsome_connection_expiry_seconds gauge
authsome_connection_expiry_seconds{connection="x",provider="a"} -60
authsome_connection_expiry_seconds{connection="y",provider="b"} 3540
authsome_connection_expiry_seconds{connection="z",provider="b"} -60
# HELP authsome_connection_unusable_since_seconds Time since which a connection needs a login, in seconds since 1970; 0 if unknown. Only connections that cannot be used are listed.
# TYPE authsome_connection_unusable_since_seconds gauge
authsome_connection_unusable_since_seconds{connection="x",provider="a",status="expired"} 9.4668486e+08
authsome_connection_unusable_since_seconds{connection="x",provider="c",status="invalid"} 1.7e+09
authsome_connection_unusable_since_seconds{connection="y",provider="c",status="other"} 0
`
		names := []string{"authsome_connection_expiry_seconds", "authsome_connection_unusable_since_seconds"}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
		m.ConnectionExpiry(nil)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(""), names...); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := metrics.New(reg)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				m.Providers(fmt.Sprint("p", i))
				m.Exchange(intercept.Exchange{Kind: intercept.KindRequest, Provider: fmt.Sprint("p", i), Injected: true, Status: 200})
				m.ConnectionExpiry([]metrics.Expiry{{Provider: "p", Connection: "c", At: time.Now()}})
			}
			countSeries(t, reg)
		})
	}
	wg.Wait()
	for i := range 8 {
		if got := value(t, reg, "authsome_injections_total", fmt.Sprint("provider=p", i)); got != 200 {
			t.Errorf("p%d: %v injections, want 200", i, got)
		}
	}
}

func BenchmarkExchange(b *testing.B) {
	m := metrics.New(prometheus.NewRegistry())
	m.Providers("github")
	x := intercept.Exchange{Kind: intercept.KindRequest, Provider: "github", Injected: true, Reason: routing.Matched, Status: 200,
		Added: time.Microsecond, FirstByte: time.Millisecond, Duration: time.Second, Sent: 1, Received: 2}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Exchange(x)
		}
	})
}
