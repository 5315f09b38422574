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
	Renewable  bool      // by a refresh, so that its end needs nobody
	Status     string    // "" while it can be used; else one of the statuses, as invalid
	Since      time.Time // of that status; zero if it is not known
}

// statuses are those of connections that need the user.
var statuses = []string{"expired", "invalid", "revoked", "not_connected"}

// expiryLimit bounds the connections that are shown.
const expiryLimit = 1024

// expiries is a collector: the seconds that are left change by themselves, so
// they are computed at each scrape.
type expiries struct {
	desc     *prometheus.Desc
	unusable *prometheus.Desc
	now      func() time.Time
	all      atomic.Pointer[map[[2]string]Expiry] // immutable; by provider and connection
}

func newExpiries() *expiries {
	e := &expiries{
		desc: prometheus.NewDesc(namespace+"_connection_expiry_seconds",
			"Seconds until the credential of a connection expires; negative once it has.", []string{"provider", "connection"}, nil),
		unusable: prometheus.NewDesc(namespace+"_connection_unusable_since_seconds",
			"Time at which a connection came to need a login, in seconds since 1970; 0 if it is not known. Connections that can be used are not there.",
			[]string{"provider", "connection", "status"}, nil),
		now: time.Now,
	}
	e.all.Store(&map[[2]string]Expiry{})
	return e
}

func (e *expiries) Describe(c chan<- *prometheus.Desc) { c <- e.desc; c <- e.unusable }

func (e *expiries) Collect(c chan<- prometheus.Metric) {
	now := e.now()
	for names, x := range *e.all.Load() {
		if !x.At.IsZero() {
			c <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, x.At.Sub(now).Seconds(), names[0], names[1])
		}
		if x.Status == "" && !x.Renewable && !x.At.IsZero() && !now.Before(x.At) {
			x.Status, x.Since = "expired", x.At
		}
		if x.Status != "" {
			since := 0.0
			if !x.Since.IsZero() {
				since = float64(x.Since.Unix())
			}
			c <- prometheus.MustNewConstMetric(e.unusable, prometheus.GaugeValue, since, names[0], names[1], oneOf(x.Status, statuses))
		}
	}
}

// ConnectionExpiry replaces what is known about when credentials end, and about
// those that have. The names
// are those of stored connections, which only the user makes.
func (m *Metrics) ConnectionExpiry(all []Expiry) {
	known := make(map[[2]string]Expiry, len(all))
	for _, x := range all {
		usable := utf8.ValidString(x.Provider) && utf8.ValidString(x.Connection)
		if len(known) < expiryLimit && usable && (!x.At.IsZero() || x.Status != "") {
			known[[2]string{x.Provider, x.Connection}] = x
		}
	}
	m.expiries.all.Store(&known)
}
