package sidecar

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
)

// record reports a finished exchange to metrics, audit log and log. The audit log
// gets what concerns a credential: injections, masked secrets and refusals.
// Connections that were passed through and plain requests are counted, and logged at
// debug level. Refusals of strangers are added up, because strangers must not be able
// to fill the disk.
func (s *Sidecar) record(x intercept.Exchange) {
	s.metrics.Exchange(x)
	s.rejections.observe(&x)
	if s.usage != nil {
		s.usage.count(&x)
	}
	if x.Stranger {
		if x.Code != "" {
			s.strangers.add(string(x.Code))
		}
		return
	}
	if s.audit != nil && (x.Injected || x.Code != "") {
		e := audit.Event{
			Event: audit.Injection, Profile: s.profile, Provider: x.Provider, Connection: x.Connection, Outcome: "ok",
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
		s.audit.Record(e)
		if x.Masked > 0 {
			e.Event, e.Outcome = audit.EchoMasked, fmt.Sprintf("ok: %d masked", x.Masked)
			s.audit.Record(e)
		}
	}
	level := slog.LevelDebug
	if x.Code != "" {
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, level) {
		return // before the arguments are made: this runs for every request
	}
	s.log.Log(ctx, level, "exchange", "kind", x.Kind, "host", x.Host, "port", x.Port, "method", x.Method, "provider", x.Provider,
		"connection", x.Connection, "injected", x.Injected, "reason", x.Reason, "code", x.Code, "status", x.Status,
		"duration", x.Duration, "added", x.Added, "sent", x.Sent, "received", x.Received, "masked", x.Masked, "aborted", x.Aborted)
}
