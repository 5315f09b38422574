package metrics

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Refresh counts an attempt to refresh a token of a provider.
func (m *Metrics) Refresh(provider, outcome string, d time.Duration) {
	outcome = oneOf(outcome, refreshOutcomes)
	m.refreshes.WithLabelValues(m.series(provider).label, outcome).Inc()
	m.refreshDuration.WithLabelValues(outcome).Observe(d.Seconds())
}

// VaultOp counts an operation on the vault: [View] or [Update], and how it ended.
func (m *Metrics) VaultOp(operation, outcome string) {
	m.vault.WithLabelValues(oneOf(operation, operations), oneOf(outcome, vaultOutcomes)).Inc()
}

// Reload counts a reading of routes and credentials.
func (m *Metrics) Reload(ok bool) {
	if ok {
		m.reloads[1].Inc()
		return
	}
	m.reloads[0].Inc()
}

// Leaf counts a certificate made for an intercepted host.
func (m *Metrics) Leaf() { m.leaves.Inc() }

// AuditFailure counts an episode of the audit log failing or losing events.
func (m *Metrics) AuditFailure() { m.auditFailures.Inc() }

// Routes says how many patterns are intercepted now.
func (m *Metrics) Routes(n int) { m.routes.Set(float64(n)) }

// BuildInfo says which build this is; the Go version is added.
func (m *Metrics) BuildInfo(version, revision string) {
	valid := func(s string) string { return strings.ToValidUTF8(s, "?") }
	m.buildInfo.Reset()
	m.buildInfo.WithLabelValues(valid(version), valid(revision), runtime.Version()).Set(1)
}

// Active registers the numbers of open connections and of open tunnels among
// them, which are asked for at each scrape. It may be called once.
func (m *Metrics) Active(connections, tunnels func() int) {
	gauge := func(name, help string, value func() int) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m.registerer.MustRegister(
		gauge("active_connections", "Open connections of clients.", connections),
		gauge("active_tunnels", "Open connections that are relayed unopened.", tunnels),
	)
}
