// Package metrics has the proxy's Prometheus metrics, all named authsome_….
//
// It has no registry, serves no port and decides nothing; the collectors of the Go
// runtime and the process are the caller's. The values of its labels are listed by
// the packages that produce them: intercept, routing, auth and vault.
//
// Its invariant is a bound on the number of series: every label has a closed set of
// values, and a value that is not in the set counts as "other". Nothing that a
// client sends, such as a host name, a path or an invented provider, can make a
// series.
package metrics

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/intercept"
)

// Metrics are safe for concurrent use.
type Metrics struct {
	registerer prometheus.Registerer
	providers  atomic.Pointer[map[string]*series] // immutable; by provider name

	requests   *prometheus.CounterVec
	injections *prometheus.CounterVec
	misses     *prometheus.CounterVec
	answers    *prometheus.CounterVec
	masked     *prometheus.CounterVec
	unscanned  *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	added      *prometheus.HistogramVec
	firstByte  *prometheus.HistogramVec
	aborted    prometheus.Counter
	tunnels    prometheus.Counter
	refused    prometheus.Counter // strangers
	dropped    prometheus.Counter // strangers

	requestBytes byteCounters
	tunnelBytes  byteCounters

	refreshes       *prometheus.CounterVec
	refreshDuration *prometheus.HistogramVec
	vault           *prometheus.CounterVec
	reloads         prometheus.Counter // that succeeded
	failedReloads   prometheus.Counter
	leaves          prometheus.Counter
	routes          prometheus.Gauge
	buildInfo       *prometheus.GaugeVec
	expiries        *expiries

	mu sync.Mutex // serialises changes of providers
}

// New makes the metrics and registers them with reg. It panics if reg has them
// already.
func New(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		registerer: reg,
		requests:   counters("requests_total", "Finished requests, without connections passed through, by provider and class of the status.", "provider", "code"),
		injections: counters("injections_total", "Requests that got a credential.", "provider"),
		misses:     counters("misses_total", "Requests and connections to the proxy that got no credential, by reason.", "provider", "reason"),
		answers:    counters("answers_total", "Answers that the proxy gave itself instead of an upstream, by error code.", "code"),
		masked:     counters("echo_masked_total", "Secrets that were masked in responses.", "provider"),
		unscanned:  counters("echo_unscanned_total", "Responses that were encoded although the request asked for identity, so that secrets in the body were not masked.", "provider"),
		duration: histograms("request_duration_seconds", "Time from the head of a request to the end of its response.",
			[]float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}, "provider"),
		added: histograms("added_latency_seconds", "Time a request spent in the proxy before it was sent upstream.",
			[]float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, .1, .5, 1, 5}, "provider"),
		firstByte: histograms("time_to_first_byte_seconds", "Time from the head of a request to the head of its response.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "provider"),
		aborted: counter("requests_aborted_total", "Requests that ended before their response was complete."),
		tunnels: counter("tunnels_total", "Finished connections that were passed through."),

		refreshes: counters("refreshes_total", "Attempts to refresh a token, by outcome.", "provider", "outcome"),
		refreshDuration: histograms("refresh_duration_seconds", "Duration of attempts to refresh a token.",
			[]float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "outcome"),
		vault:  counters("vault_operations_total", "Operations on the vault, by outcome.", "operation", "outcome"),
		leaves: counter("leaves_minted_total", "Certificates made for intercepted hosts."),
		routes: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "routes", Help: "Host patterns that are intercepted."}),
		buildInfo: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info",
			Help: "Version of the program; always 1."}, []string{"version", "revision", "goversion"}),
		expiries: newExpiries(),
	}
	bytes := counters("bytes_total", "Bytes forwarded: of bodies for requests, all bytes for tunnels.", "kind", "direction")
	strangers := counters("strangers_total", "Clients that did not show that they may use the proxy, by outcome.", "outcome")
	reloads := counters("reloads_total", "Reloads of routes and credentials.", "outcome")
	reg.MustRegister(m.requests, m.injections, m.misses, m.answers, m.masked, m.unscanned, m.duration, m.added, m.firstByte, m.aborted, m.tunnels, bytes,
		m.refreshes, m.refreshDuration, m.vault, reloads, strangers, m.leaves, m.routes, m.buildInfo, m.expiries)
	counted := func(kind intercept.Kind) byteCounters {
		return byteCounters{sent: bytes.WithLabelValues(string(kind), "sent"), received: bytes.WithLabelValues(string(kind), "received")}
	}
	m.requestBytes, m.tunnelBytes = counted(intercept.KindRequest), counted(intercept.KindTunnel)
	m.refused, m.dropped = strangers.WithLabelValues("refused"), strangers.WithLabelValues("dropped")
	m.reloads, m.failedReloads = reloads.WithLabelValues("ok"), reloads.WithLabelValues("error")
	m.providers.Store(&map[string]*series{"": m.newSeries(none), other: m.newSeries(other)})
	return m
}

const namespace = "authsome"

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}
