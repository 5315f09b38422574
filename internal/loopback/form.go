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
	Redirect string   // the redirect URL to register an OAuth client with; may be empty
	Hosts    []string // the only hosts that the values are sent to

	// Accept checks the values together, for example with a request to the service,
	// after each field's own check has passed. A [*FieldError] is shown at its field
	// and any other error above the form; the user can then try again. If nil, all
	// values are accepted.
	Accept func(ctx context.Context, values map[string]secret.String) error
}

// Ask shows the form until the user has entered valid values. It returns them by
// field name, without the optional ones that were left empty.
func (s *Server) Ask(ctx context.Context, f Form) (map[string]secret.String, error) {
	values := make(chan map[string]secret.String, 1)
	s.setStage(stage{form: &formStage{Form: f, values: values, tokens: make(map[string]bool), entered: make(map[string]string)}})
	select {
	case v := <-values:
		return v, nil
	case <-ctx.Done():
		s.setStage(stage{})
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
		redirect(w, s.pagePath)
		return
	}
	known, accepted := current.form.submit(r.Context(), values)
	if !known {
		s.showNotice(w, http.StatusForbidden, rejected)
		return
	}
	if accepted != nil {
		s.finishForm(current.form, accepted)
	}
	redirect(w, s.pagePath)
}

// finishForm passes the values to Ask, unless the login has left the form.
func (s *Server) finishForm(f *formStage, values map[string]secret.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage.form != f {
		return
	}
	s.formSent, s.pageOpen = true, true
	s.setStageLocked(stage{})
	f.values <- values
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
	s.render(w, http.StatusOK, "form", f.view(s.Title, s.pagePath))
}
