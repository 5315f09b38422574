package loopback

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/authsome/authsome/secret"
)

// maxForm bounds what a form may send.
const maxForm = 64 << 10

// Form asks a person for values in the browser.
type Form struct {
	Purpose  string // what the values are for, in a sentence
	Fields   []Field
	KeyURL   string   // where such values are made; may be empty
	Redirect string   // the redirect URL that a client has to be registered with; may be empty
	Hosts    []string // the only places that the values are sent to

	// Accept judges all values together, as a request to the service does, when
	// each for itself is good. A [*FieldError] is shown at its field, any other
	// error above the form, and the person may try again. If nil, they are good.
	Accept func(ctx context.Context, values map[string]secret.String) error
}

// formStage is a form while it is being filled in.
type formStage struct {
	Form
	values chan<- map[string]secret.String // has room for the one

	mu       sync.Mutex        // guards what follows, and is held while values are judged
	tokens   map[string]bool   // that were given out; true once used
	entered  map[string]string // no secrets
	problems map[string]string // by field; "" is for the form as a whole
	done     bool
}

// Ask shows the form until what it asks for was entered.
func (l *Server) Ask(ctx context.Context, f Form) (map[string]secret.String, error) {
	values := make(chan map[string]secret.String, 1)
	l.enter(stage{form: &formStage{Form: f, values: values, tokens: make(map[string]bool), entered: make(map[string]string)}})
	select {
	case v := <-values:
		return v, nil
	case <-ctx.Done():
		l.enter(stage{})
		return nil, ctx.Err()
	}
}

// receive is a form that was sent. Whatever comes of it is told by the page that
// the browser is led to, so that a reload sends nothing again.
func (l *Server) receive(w http.ResponseWriter, r *http.Request) {
	if !l.sentFromHere(r) {
		l.notice(w, http.StatusForbidden, "This form was not sent from its own page", "Nothing was taken over.")
		return
	}
	values, status := readForm(w, r)
	if status != 0 {
		l.notice(w, status, "This form cannot be read", "Nothing was taken over.")
		return
	}
	s, _ := l.current()
	if s.form == nil { // sent twice: the first one has it
		redirect(w, l.page)
		return
	}
	known, taken := s.form.receive(r.Context(), values)
	if !known {
		l.notice(w, http.StatusForbidden, "This form was not sent from its own page", "Nothing was taken over.")
		return
	}
	if taken != nil {
		l.leave(s.form, taken)
	}
	redirect(w, l.page)
}

// leave ends the stage of a form, if it is not over.
func (l *Server) leave(f *formStage, values map[string]secret.String) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage.form != f {
		return
	}
	l.stage = stage{}
	l.sent, l.seen = true, true
	close(l.changed)
	l.changed = make(chan struct{})
	f.values <- values
}

// sentFromHere says that a page of ours sent the request. Every browser names
// the origin of a form; one that does not is none.
func (l *Server) sentFromHere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == "http://"+r.Host && (site == "" || site == "same-origin")
}

// readForm reads the values of a request, or gives the status to refuse it with.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, int) {
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
	for _, all := range r.PostForm {
		if len(all) != 1 {
			return nil, http.StatusBadRequest
		}
	}
	return r.PostForm, 0
}

// tokenField is the field of a form that only its own page can know.
const tokenField = "authsome_token"

// receive judges what was sent. The token must be one that was given out; with
// one that was used before nothing is done, since the same form came twice. The
// values are nil unless all of them are good.
func (f *formStage) receive(ctx context.Context, sent url.Values) (known bool, values map[string]secret.String) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := sent.Get(tokenField)
	used, known := f.tokens[token]
	if !known || used || f.done {
		return known, nil
	}
	f.tokens[token] = true
	f.problems = make(map[string]string)
	values = make(map[string]secret.String)
	for i := range f.Fields {
		field := &f.Fields[i]
		if !field.Secret {
			f.entered[field.Name] = sent.Get(field.Name)
		}
		value, err := field.Take(sent.Get(field.Name))
		if err != nil {
			f.problems[field.Name] = err.Error()
		} else if !value.IsZero() {
			values[field.Name] = value
		}
	}
	if len(f.problems) == 0 && f.Accept != nil {
		if err := f.Accept(ctx, values); err != nil {
			field := ""
			if e, ok := errors.AsType[*FieldError](err); ok {
				field = e.Field
			}
			f.problems[field] = err.Error()
		}
	}
	if len(f.problems) > 0 {
		return true, nil
	}
	f.done = true
	return true, values
}

func (l *Server) showForm(w http.ResponseWriter, f *formStage) {
	// Without its origin, a form could not be told from one of another site.
	w.Header().Set("Referrer-Policy", "same-origin")
	l.render(w, http.StatusOK, "form", f.view(l.Title, l.page))
}

// view is the form as it stands, with a token of its own.
func (f *formStage) view(title, action string) formView {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := nonce()
	f.tokens[token] = false
	v := formView{
		Title: title, Purpose: f.Purpose, Action: action, Token: token, KeyURL: f.KeyURL, Redirect: f.Redirect, Hosts: f.Hosts,
		Problem: sentence(f.problems[""]), Wrong: len(f.problems) > 0,
	}
	focused := false
	for _, field := range f.Fields {
		value, typed := f.entered[field.Name]
		if !typed {
			value = field.Value
		}
		problem := sentence(f.problems[field.Name])
		focus := !focused && (problem != "" || len(f.problems) == 0 || f.problems[""] != "")
		focused = focused || focus
		v.Fields = append(v.Fields, fieldView{Field: field, Entered: value, Problem: problem, Focus: focus})
	}
	return v
}

// sentence is an error's text as a page has it.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
