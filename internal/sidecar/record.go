package sidecar

import (
	"context"
	"log/slog"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/metrics"
)

// record tells metrics, audit and the log about one finished exchange. The audit
// has what concerned a credential: injections and refusals. Tunnels and plain
// requests are counted, and logged when asked for.
func (s *Sidecar) record(x intercept.Exchange) {
	s.Metrics.Exchange(metrics.Exchange{
		Kind: string(x.Kind), Provider: x.Provider, Injected: x.Injected, Reason: string(x.Reason), Code: string(x.Code), Status: x.Status,
		Added: x.Added, FirstByte: x.FirstByte, Duration: x.Duration, Sent: x.Sent, Received: x.Received, Aborted: x.Aborted,
	})
	if s.Audit != nil && (x.Injected || x.Code != "") {
		e := audit.Event{
			Event: audit.Injection, Profile: s.Profile, Provider: x.Provider, Connection: x.Connection, Outcome: "ok",
			Host: x.Host, Method: x.Method, Path: x.Path, Status: x.Status, Duration: x.Duration,
		}
		switch {
		case x.Code != "" && !x.Injected:
			e.Event, e.Outcome = audit.Refusal, string(x.Code)
		case x.Code != "":
			e.Outcome = string(x.Code)
		case x.Aborted:
			e.Outcome = "aborted"
		}
		s.Audit.Record(e)
	}
	level := slog.LevelDebug
	if x.Code != "" {
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !s.Log.Enabled(ctx, level) {
		return // before the arguments are made: this runs for every request
	}
	s.Log.Log(ctx, level, "exchange", "kind", x.Kind, "host", x.Host, "port", x.Port, "method", x.Method, "provider", x.Provider,
		"connection", x.Connection, "injected", x.Injected, "reason", x.Reason, "code", x.Code, "status", x.Status,
		"duration", x.Duration, "added", x.Added, "sent", x.Sent, "received", x.Received, "aborted", x.Aborted)
}
