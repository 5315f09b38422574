package loopback

import (
	"context"
	"net/http"
	"time"
)

// outcomeWait is how long Finish waits for a browser to fetch the result.
const outcomeWait = 3 * time.Second

// Outcome is the result of a login, as the page shows it.
type Outcome struct {
	Cancelled bool   // by the user, on the page
	Problem   string // what went wrong, without a period; empty after a success
	Server    string // the authorization server's message about the problem
	Next      string // the command to run next

	Connection string
	Account    string // at the provider; empty if unknown
	Scopes     []string
	Hosts      []string // the only hosts that the credential is sent to
	Notes      []string // warnings, as whole sentences
}

// Finish shows the result of the login. It returns when the browser that has the
// page has received the result, after 3 seconds, or when ctx is done; and at once
// if no browser has the page.
func (s *Server) Finish(ctx context.Context, o Outcome) {
	s.mu.Lock()
	pageOpen := s.pageOpen || s.waiting > 0
	s.setStageLocked(stage{outcome: &o})
	s.mu.Unlock()
	if !pageOpen {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	select {
	case <-s.outcomeShown:
	case <-ctx.Done():
	}
}

func (s *Server) showOutcome(w http.ResponseWriter, o *Outcome) {
	view := outcomeView{s.Title, *o}
	view.Problem = sentence(view.Problem)
	w.Header().Set("Connection", "close")
	s.render(w, http.StatusOK, "outcome", view)
	http.NewResponseController(w).Flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.outcomeShown:
	default:
		close(s.outcomeShown)
	}
}
