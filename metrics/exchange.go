package metrics

import (
	"maps"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// Exchange is a finished request, tunnel or refused connection, in the words of
// the proxy that reports it.
type Exchange struct {
	Kind      string // "request" on an intercepted connection, "plain", "tunnel" or "refused"
	Provider  string // "" where no provider matched
	Injected  bool
	Reason    string        // of the routing decision
	Code      string        // of an answer that the proxy gave itself
	Status    int           // what the client was sent; 0 if nothing
	Added     time.Duration // spent in the proxy before the request went upstream; 0 if it did not
	FirstByte time.Duration // until the response head; 0 without one
	Duration  time.Duration
	Sent      int64 // bytes
	Received  int64 // bytes
	Aborted   bool
}

// series are the resolved series of one provider, so that a request looks up
// one name and no labels.
type series struct {
	requests   [len(statusClasses)]prometheus.Counter
	injections prometheus.Counter
	duration   prometheus.Observer
	added      prometheus.Observer
	firstByte  prometheus.Observer
	label      string
}

func (m *Metrics) newSeries(label string) *series {
	s := &series{
		label:      label,
		injections: m.injections.WithLabelValues(label),
		duration:   m.duration.WithLabelValues(label),
		added:      m.added.WithLabelValues(label),
		firstByte:  m.firstByte.WithLabelValues(label),
	}
	for class, code := range statusClasses {
		s.requests[class] = m.requests.WithLabelValues(label, code)
	}
	return s
}

// providerLimit bounds the providers that have series of their own.
const providerLimit = 256

// Providers makes the named providers known; others count as "other". It is
// meant for those that have routes, and adds to what is known already.
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
func (m *Metrics) Exchange(x Exchange) {
	s := m.series(x.Provider)
	switch x.Kind {
	case "tunnel":
		m.tunnels.Inc()
		m.count(1, x)
	case "refused":
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
		m.count(0, x)
	}
	if x.Code != "" {
		m.answers.WithLabelValues(oneOf(x.Code, codes)).Inc()
	}
	switch {
	case x.Injected:
		s.injections.Inc()
	case x.Code != "":
		m.misses.WithLabelValues(s.label, oneOf(x.Code, codes)).Inc()
	case x.Kind == "request":
		m.misses.WithLabelValues(s.label, oneOf(x.Reason, reasons, codes)).Inc()
	}
}

// count adds up bytes. Counters panic on a negative number, which would be the
// proxy's mistake and must not end it.
func (m *Metrics) count(kind int, x Exchange) {
	m.bytes[kind][0].Add(float64(max(x.Sent, 0)))
	m.bytes[kind][1].Add(float64(max(x.Received, 0)))
}
