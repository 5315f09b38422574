package metrics

import (
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/vault"
)

// Refresh counts an attempt to refresh a token.
func (m *Metrics) Refresh(r auth.Refresh) {
	outcome := refreshOutcomes.label(r.Outcome)
	m.refreshes.WithLabelValues(m.series(r.Provider).label, outcome).Inc()
	m.refreshDuration.WithLabelValues(outcome).Observe(r.Duration.Seconds())
}

// VaultOperation counts an operation on the vault.
func (m *Metrics) VaultOperation(operation vault.Operation, outcome vault.Outcome) {
	m.vault.WithLabelValues(operations.label(string(operation)), vaultOutcomes.label(string(outcome))).Inc()
}

// Reload counts a reload of routes and credentials.
func (m *Metrics) Reload(ok bool) {
	if ok {
		m.reloads.Inc()
		return
	}
	m.failedReloads.Inc()
}

// Leaf counts a certificate made for an intercepted host.
func (m *Metrics) Leaf() { m.leaves.Inc() }

// Routes sets the number of host patterns that are intercepted.
func (m *Metrics) Routes(n int) { m.routes.Set(float64(n)) }

// BuildInfo sets the version and revision of the program. The Go version is added.
func (m *Metrics) BuildInfo(version, revision string) {
	valid := func(s string) string { return strings.ToValidUTF8(s, "?") }
	m.buildInfo.Reset()
	m.buildInfo.WithLabelValues(valid(version), valid(revision), runtime.Version()).Set(1)
}

// Active registers gauges of the open connections, and of those among them that are
// passed through. The functions are called at each scrape. Active may be called
// once.
func (m *Metrics) Active(connections, tunnels func() int) {
	gauge := func(name, help string, value func() int) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m.registerer.MustRegister(
		gauge("active_connections", "Open connections of clients.", connections),
		gauge("active_tunnels", "Open connections that are passed through.", tunnels),
	)
}

// AuditFailures registers the counter of the audit log's failures. The function
// is called at each scrape. AuditFailures may be called once.
func (m *Metrics) AuditFailures(failures func() uint64) {
	m.registerer.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "audit_failures_total", Help: "Episodes in which the audit log could not be written or lost events.",
	}, func() float64 { return float64(failures()) }))
}
