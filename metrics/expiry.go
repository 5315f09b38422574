package metrics

import (
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// Expiry is when a connection's credential ends.
type Expiry struct {
	Provider   string
	Connection string
	At         time.Time // zero for a credential without an end, which is left out
}

// expiryLimit bounds the connections that are shown.
const expiryLimit = 1024

// expiries is a collector: the seconds that are left change by themselves, so
// they are computed at each scrape.
type expiries struct {
	desc *prometheus.Desc
	now  func() time.Time
	all  atomic.Pointer[map[[2]string]time.Time] // immutable; by provider and connection
}

func newExpiries() *expiries {
	e := &expiries{
		desc: prometheus.NewDesc(namespace+"_connection_expiry_seconds",
			"Seconds until the credential of a connection expires; negative once it has.", []string{"provider", "connection"}, nil),
		now: time.Now,
	}
	e.all.Store(&map[[2]string]time.Time{})
	return e
}

func (e *expiries) Describe(c chan<- *prometheus.Desc) { c <- e.desc }

func (e *expiries) Collect(c chan<- prometheus.Metric) {
	now := e.now()
	for names, at := range *e.all.Load() {
		c <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, at.Sub(now).Seconds(), names[0], names[1])
	}
}

// ConnectionExpiry replaces what is known about when credentials end. The names
// are those of stored connections, which only the user makes.
func (m *Metrics) ConnectionExpiry(all []Expiry) {
	known := make(map[[2]string]time.Time, len(all))
	for _, x := range all {
		usable := utf8.ValidString(x.Provider) && utf8.ValidString(x.Connection)
		if len(known) < expiryLimit && usable && !x.At.IsZero() {
			known[[2]string{x.Provider, x.Connection}] = x.At
		}
	}
	m.expiries.all.Store(&known)
}
