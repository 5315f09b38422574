package metrics

import (
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/auth"
)

// Expiry says when a connection's credential expires and, if it cannot be used, why.
type Expiry struct {
	Provider   string
	Connection string
	At         time.Time   // zero if the credential does not expire
	Renewable  bool        // a refresh can renew it, so that the user need not act
	Status     auth.Status // "" while the connection can be used
	Since      time.Time   // since when it has Status; zero if unknown
}

// expiryLimit is the number of connections that are shown.
const expiryLimit = 1024

// connection names a connection of a provider.
type connection struct{ provider, name string }

// expiries is a collector: the remaining seconds change with time, so they are
// computed at each scrape.
type expiries struct {
	expiry   *prometheus.Desc
	unusable *prometheus.Desc
	now      func() time.Time
	all      atomic.Pointer[map[connection]Expiry] // immutable
}

func newExpiries() *expiries {
	e := &expiries{
		expiry: prometheus.NewDesc(namespace+"_connection_expiry_seconds",
			"Seconds until the credential of a connection expires; negative once it has.", []string{"provider", "connection"}, nil),
		unusable: prometheus.NewDesc(namespace+"_connection_unusable_since_seconds",
			"Time since which a connection needs a login, in seconds since 1970; 0 if unknown. Only connections that cannot be used are listed.",
			[]string{"provider", "connection", "status"}, nil),
		now: time.Now,
	}
	e.all.Store(&map[connection]Expiry{})
	return e
}

func (e *expiries) Describe(c chan<- *prometheus.Desc) { c <- e.expiry; c <- e.unusable }

func (e *expiries) Collect(c chan<- prometheus.Metric) {
	now := e.now()
	for names, x := range *e.all.Load() {
		if !x.At.IsZero() {
			c <- prometheus.MustNewConstMetric(e.expiry, prometheus.GaugeValue, x.At.Sub(now).Seconds(), names.provider, names.name)
		}
		if x.Status == "" && !x.Renewable && !x.At.IsZero() && !now.Before(x.At) {
			x.Status, x.Since = auth.StatusExpired, x.At
		}
		if x.Status != "" {
			since := 0.0
			if !x.Since.IsZero() {
				since = float64(x.Since.Unix())
			}
			c <- prometheus.MustNewConstMetric(e.unusable, prometheus.GaugeValue, since, names.provider, names.name, statuses.label(string(x.Status)))
		}
	}
}

// ConnectionExpiry replaces the connections whose expiry is shown. Their names make
// series, so they must be those of stored connections, which only the user creates.
func (m *Metrics) ConnectionExpiry(all []Expiry) {
	known := make(map[connection]Expiry, len(all))
	for _, x := range all {
		valid := utf8.ValidString(x.Provider) && utf8.ValidString(x.Connection)
		if len(known) < expiryLimit && valid && (!x.At.IsZero() || x.Status != "") {
			known[connection{x.Provider, x.Connection}] = x
		}
	}
	m.expiries.all.Store(&known)
}
