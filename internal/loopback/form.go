package loopback

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/authsome/authsome/secret"
)

// maxForm limits the body of a submitted form, in bytes.
const maxForm = 64 << 10

// Form asks the user for values in the browser.
type Form struct {
	Purpose  string // what the values are for, as a sentence
	Fields   []Field
	KeyURL   string   // the provider's page where the values are created; may be empty
	Steps    []string // what to do there, in order; may be empty
	Redirect string   // the redirect URL to register an OAuth client with; may be empty
	Hosts    []string // the only hosts that the values are sent to
	Back     bool     // the user can go back to the question before

	// Accept checks the values together, for example with a request to the service,
	// after each field's own check has passed. A [*FieldError] is shown at its field
	// and any other error above the form; the user can then try again. If nil, all
	// values are accepted.
	Accept func(ctx context.Context, values map[string]secret.String) error
}

// Errors of [Server.Ask], [Server.Choose] and [Server.ShowCode].
var (
	// ErrCancelled says that the user cancelled the login on the page. The page then
	// waits for the result.
	ErrCancelled = errors.New("cancelled")
	// ErrBack says that the user wants to answer the question before again.
	ErrBack = errors.New("back to the question before")
)

// Ask shows the form until the user has entered valid values. It returns them by
// field name, without the optional ones that were left empty.
func (s *Server) Ask(ctx context.Context, f Form) (map[string]secret.String, error) {
	return s.ask(ctx, &formStage{Form: f})
}

func (s *Server) ask(ctx context.Context, f *formStage) (map[string]secret.String, error) {
	done := make(chan formResult, 1)
	f.result, f.tokens, f.entered = done, make(map[string]bool), make(map[string]string)
	s.setStage(stage{form: f})
	select {
	case r := <-done:
		return r.values, r.err
	case <-ctx.Done():
		// The page stays as it is. If the login has a result, the page is told then; if
		// the server ends, the page notices it.
		return nil, ctx.Err()
	}
}

// handleForm serves a submitted form. It always redirects to the page, which shows
// the result, so that a reload does not submit the form again.
func (s *Server) handleForm(w http.ResponseWriter, r *http.Request) {
	rejected := notice{
		Heading: "This form was not accepted",
		Text:    "It was not sent from the page that authsome opened. Nothing was stored.",
	}
	if !sentFromOwnPage(r) {
		s.showNotice(w, http.StatusForbidden, rejected)
		return
	}
	values, status := readForm(w, r)
	if status != 0 {
		s.showNotice(w, status, notice{Heading: "This form cannot be read", Text: "Nothing was stored."})
		return
	}
	current, _ := s.currentStage()
	if current.form == nil { // submitted twice, and the first submission was accepted
		sendTo(w, s.pagePath)
		return
	}
	known, result := current.form.submit(r.Context(), values)
	if !known {
		s.showNotice(w, http.StatusForbidden, rejected)
		return
	}
	if result != nil {
		s.finishForm(current.form, *result)
	}
	sendTo(w, s.pagePath)
}

// finishForm passes the result to Ask, unless the login has left the form.
func (s *Server) finishForm(f *formStage, result formResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage.form != f {
		return
	}
	s.formSent, s.pageOpen = true, true
	s.setStageLocked(stage{})
	f.result <- result
}

// sentFromOwnPage reports whether a page of this server submitted the form. All
// browsers send Origin with a form, so a request without it is refused.
func sentFromOwnPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == "http://"+r.Host && (site == "" || site == "same-origin")
}

// readForm returns the values of a submitted form, or the status to refuse the
// request with.
func readForm(w http.ResponseWriter, r *http.Request) (values url.Values, status int) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, http.StatusRequestEntityTooLarge
		}
		return nil, http.StatusBadRequest
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			return nil, http.StatusBadRequest
		}
	}
	return r.PostForm, 0
}

func (s *Server) showForm(w http.ResponseWriter, f *formStage) {
	// With no-referrer, browsers would send the form with "Origin: null".
	w.Header().Set("Referrer-Policy", "same-origin")
	s.mu.Lock()
	number := s.stageNumber
	s.mu.Unlock()
	s.render(w, http.StatusOK, f.template(), f.view(s.Title, s.pagePath, number))
}
