package loopback

import (
	"crypto/rand"
	"net/http"
)

// Link returns a new URL that opens the page once. Use it where others may read
// the URL, such as in the arguments of a command: if somebody else opens it first,
// the user is told that it was used.
func (s *Server) Link() string {
	path := "/" + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.linkUsed[path] = false
	return "http://" + s.pageHost + path
}

// Visited returns a channel that is closed when somebody opens a link for the first
// time. Call it after Listen.
func (s *Server) Visited() <-chan struct{} { return s.visited }

// visitLocked closes the channel of Visited. The caller holds mu.
func (s *Server) visitLocked() {
	select {
	case <-s.visited:
	default:
		close(s.visited)
	}
}

// handleLink opens the page for an unused link. Every other path is not found.
func (s *Server) handleLink(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	used, known := s.linkUsed[r.URL.Path]
	if known {
		s.linkUsed[r.URL.Path] = true
		s.visitLocked()
	}
	s.mu.Unlock()
	switch {
	case !known:
		s.showNotice(w, http.StatusNotFound, notice{Heading: "Page not found"})
	case used:
		s.showNotice(w, http.StatusGone, notice{
			Heading: "This link has already been used",
			Text:    "Each link works once. If you did not open it, someone else may have: press Ctrl-C in the terminal and log in again.",
		})
	default:
		sendTo(w, s.pagePath)
	}
}
