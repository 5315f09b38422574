package sidecar

import (
	"sync"
	"time"

	"github.com/authsome/authsome/internal/audit"
)

// strangersInterval is the shortest time between two reports of refused strangers.
const strangersInterval = time.Minute

// strangers adds up the refusals of clients that may not use the proxy. The first one
// is reported at once, and those of the next minutes in one report each.
type strangers struct {
	report func(code string, n int64)

	mu    sync.Mutex  // guards all below
	code  string      // of the first refusal that is not reported yet
	n     int64       // of the refusals that are not reported yet
	timer *time.Timer // nil if nothing was refused in the last minute
}

func (s *strangers) add(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		s.code = code
	}
	s.n++
	if s.timer == nil {
		s.flush()
		s.timer = time.AfterFunc(strangersInterval, s.tick)
	}
}

func (s *strangers) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		return // closed
	}
	if s.n == 0 {
		s.timer = nil
		return
	}
	s.flush()
	s.timer.Reset(strangersInterval)
}

// flush reports what was added up. The caller holds mu.
func (s *strangers) flush() {
	if s.n > 0 {
		s.report(s.code, s.n)
		s.n = 0
	}
}

// close reports what is left. Nothing may be added after it.
func (s *strangers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	s.flush()
}

// recordStrangers reports n refusals of strangers. Nothing that they sent is in the
// report.
func (s *Sidecar) recordStrangers(code string, n int64) {
	if s.audit != nil {
		s.audit.Record(audit.Event{Event: audit.Refusal, Profile: s.profile, Outcome: code, Count: n})
	}
	s.log.Warn("refused clients that may not use the proxy", "code", code, "count", n)
}
