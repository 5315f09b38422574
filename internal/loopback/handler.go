package loopback

import (
	"net/http"
	"strconv"
)

// handle serves every request. A request that fails a check gets an answer that
// reveals nothing about the login.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", contentPolicy(""))
	if !s.isOwnHost(r.Host) {
		s.showNotice(w, http.StatusMisdirectedRequest, notice{Heading: "Wrong host name"})
		return
	}
	switch path := r.URL.Path; {
	case path == s.pagePath && r.Method == http.MethodPost:
		s.handleForm(w, r)
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		s.showNotice(w, http.StatusMethodNotAllowed, notice{Heading: "Method not allowed"})
	case r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != "":
		// A prefetch would use a one-time link before the user opens it.
		w.WriteHeader(http.StatusServiceUnavailable)
	case path == s.pagePath:
		s.showPage(w, r)
	case path == s.pagePath+"/go":
		s.redirectToProvider(w)
	case path == s.pagePath+"/next":
		s.awaitNextStage(w, r)
	case path == s.currentRedirect().path:
		s.handleCallback(w, r)
	default:
		s.handleLink(w, r)
	}
}

// showPage shows the current stage of the login. While the program is working, it
// waits for the next stage.
func (s *Server) showPage(w http.ResponseWriter, r *http.Request) {
	for {
		current, changed := s.currentStage()
		switch {
		case current.form != nil:
			s.showForm(w, current.form)
			return
		case current.auth != nil:
			s.continueToProvider(w)
			return
		case current.outcome != nil:
			s.showOutcome(w, current.outcome)
			return
		}
		s.mu.Lock()
		s.pageOpen = true
		s.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// awaitNextStage answers when the page has something else to show than the stage that
// the query names. The script of a page that has nothing to submit then reloads it.
func (s *Server) awaitNextStage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	changed, shown := s.changed, strconv.Itoa(s.stageNumber) == r.URL.RawQuery
	s.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting--
	}()
	if shown {
		select {
		case <-changed:
		case <-r.Context().Done(): // the tab was closed
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// sendTo sends no body: an address that contains a state must reach only the
// browser's next request.
func sendTo(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
