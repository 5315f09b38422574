package sidecar

import (
	"log/slog"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/metrics"
)

// RefreshReport says where attempts to refresh tokens are reported, for a proxy and for
// a command that uses a credential itself.
type RefreshReport struct {
	Profile string
	Record  func(audit.Event) // writes to the audit log; nil records nothing
	Metrics *metrics.Metrics  // nil counts nothing
	Log     *slog.Logger      // nil discards
}

// Attach makes a report its attempts to refresh tokens. A later report replaces an
// earlier one. It must not be called while another goroutine uses a.
func (p RefreshReport) Attach(a *auth.Auth) {
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	a.OnRefresh = p.report
}

func (p RefreshReport) report(r auth.Refresh) {
	if p.Metrics != nil {
		p.Metrics.Refresh(r)
	}
	if p.Record != nil {
		p.Record(p.event(r))
	}
	log := p.Log.With("provider", r.Provider, "connection", r.Connection, "outcome", r.Outcome, "forced", r.Forced, "duration", r.Duration)
	switch r.Outcome {
	case auth.RefreshDone:
		log.Info("token refreshed")
	case auth.RefreshInvalid:
		log.Error("token can no longer be refreshed; a login is required", "code", r.Code, "err", r.Err)
	default:
		log.Warn("token not refreshed; trying again later", "code", r.Code, "err", r.Err)
	}
}

func (p RefreshReport) event(r auth.Refresh) audit.Event {
	e := audit.Event{Event: audit.Refresh, Profile: p.Profile, Provider: r.Provider, Connection: r.Connection, Outcome: "ok", Duration: r.Duration}
	if r.Outcome != auth.RefreshDone {
		e.Outcome = r.Outcome
		if r.Code != "" {
			e.Outcome += ": " + r.Code
		}
	}
	return e
}
