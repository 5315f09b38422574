package metrics

import (
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// Rejection says since when the service rejects the credential of a connection.
type Rejection struct {
	Provider   string
	Connection string
	Since      time.Time
}

// rejections is a collector: which credentials are rejected changes with requests.
type rejections struct {
	desc    *prometheus.Desc
	current func() []Rejection
}

// Rejections registers a gauge of the connections whose credential is rejected. The
// function is called at each scrape. The names make series, so they must be those of
// stored connections. Rejections may be called once.
func (m *Metrics) Rejections(current func() []Rejection) {
	m.registerer.MustRegister(&rejections{current: current, desc: prometheus.NewDesc(namespace+"_connection_rejected_since_seconds",
		"Time since which a service rejects the credential of a connection with a 401, in seconds since 1970. Only such connections are listed.",
		[]string{"provider", "connection"}, nil)})
}

func (r *rejections) Describe(c chan<- *prometheus.Desc) { c <- r.desc }

func (r *rejections) Collect(c chan<- prometheus.Metric) {
	for i, x := range r.current() {
		if i < expiryLimit && utf8.ValidString(x.Provider) && utf8.ValidString(x.Connection) {
			c <- prometheus.MustNewConstMetric(r.desc, prometheus.GaugeValue, float64(x.Since.Unix()), x.Provider, x.Connection)
		}
	}
}
