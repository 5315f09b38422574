package metrics

import (
	"maps"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/intercept"
)

// series are the series of one provider. They are looked up once, so that a request
// looks up the provider and no labels.
type series struct {
	requests   [len(statusClasses)]prometheus.Counter
	injections prometheus.Counter
	masked     prometheus.Counter
	unscanned  prometheus.Counter
	duration   prometheus.Observer
	added      prometheus.Observer
	firstByte  prometheus.Observer
	label      string
}

func (m *Metrics) newSeries(label string) *series {
	s := &series{
		label:      label,
		injections: m.injections.WithLabelValues(label),
		masked:     m.masked.WithLabelValues(label),
		unscanned:  m.unscanned.WithLabelValues(label),
		duration:   m.duration.WithLabelValues(label),
		added:      m.added.WithLabelValues(label),
		firstByte:  m.firstByte.WithLabelValues(label),
	}
	for class, code := range statusClasses {
		s.requests[class] = m.requests.WithLabelValues(label, code)
	}
	return s
}

// providerLimit is the number of providers that get series with their name.
const providerLimit = 256

// Providers adds providers that get series with their name; all others count as
// "other". It is meant for those that have routes.
func (m *Metrics) Providers(names ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := maps.Clone(*m.providers.Load())
	for _, name := range names {
		if known[name] == nil && len(known) < providerLimit && len(name) <= 64 && utf8.ValidString(name) {
			known[name] = m.newSeries(name)
		}
	}
	m.providers.Store(&known)
}

func (m *Metrics) series(provider string) *series {
	known := *m.providers.Load()
	if s := known[provider]; s != nil {
		return s
	}
	return known[other]
}

// Exchange counts one finished exchange.
func (m *Metrics) Exchange(x intercept.Exchange) {
	s := m.series(x.Provider)
	switch {
	case x.Stranger && x.Code != "":
		m.refused.Inc()
	case x.Stranger:
		m.dropped.Inc()
	}
	switch x.Kind {
	case intercept.KindTunnel:
		m.tunnels.Inc()
		m.tunnelBytes.add(&x)
	case intercept.KindRefused, intercept.KindUnused:
	default:
		s.requests[statusClass(x.Status)].Inc()
		s.duration.Observe(x.Duration.Seconds())
		if x.Added > 0 {
			s.added.Observe(x.Added.Seconds())
		}
		if x.FirstByte > 0 {
			s.firstByte.Observe(x.FirstByte.Seconds())
		}
		if x.Aborted {
			m.aborted.Inc()
		}
		m.requestBytes.add(&x)
	}
	s.masked.Add(float64(x.Masked))
	if x.Unscanned {
		s.unscanned.Inc()
	}
	if x.Code != "" {
		m.answers.WithLabelValues(codes.label(string(x.Code))).Inc()
	}
	switch {
	case x.Injected:
		s.injections.Inc()
	case x.Code != "":
		m.misses.WithLabelValues(s.label, codes.label(string(x.Code))).Inc()
	case x.Kind == intercept.KindRequest:
		m.misses.WithLabelValues(s.label, reasons.label(string(x.Reason))).Inc()
	}
}

// byteCounters are the counters of the bytes sent and received.
type byteCounters struct{ sent, received prometheus.Counter }

// add adds an exchange's bytes. A negative number would be the proxy's mistake; it
// is ignored, because a counter panics on it.
func (c *byteCounters) add(x *intercept.Exchange) {
	c.sent.Add(float64(max(x.Sent, 0)))
	c.received.Add(float64(max(x.Received, 0)))
}
