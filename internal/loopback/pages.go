package loopback

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

//go:embed pages
var pageFiles embed.FS

// Outcome is how a login ended, for the page that says so.
type Outcome struct {
	Problem string // what went wrong, without a period; empty if nothing did
	Server  string // what the authorization server said about it, in its own words
	Next    string // the command to type next

	Connection string
	Account    string // at the provider, as far as it is known
	Scopes     []string
	Hosts      []string // the only places that the credential is sent to
	Notes      []string // what is worth knowing besides
}

type formView struct {
	Title, Purpose, Action, Token string
	KeyURL, Redirect              string
	Hosts                         []string
	Problem                       string
	Wrong                         bool
	Fields                        []fieldView
}

type fieldView struct {
	Field
	Entered string
	Problem string
	Focus   bool
}

type onwardView struct{ Title, Onward string }

type endView struct {
	Title string
	Outcome
}

type noticeView struct{ Heading, Text string }

func (l *Server) showEnd(w http.ResponseWriter, o *Outcome) {
	view := endView{l.Title, *o}
	view.Problem = sentence(view.Problem)
	w.Header().Set("Connection", "close")
	l.render(w, http.StatusOK, "end", view)
	http.NewResponseController(w).Flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.shown:
	default:
		close(l.shown)
	}
}

// notice answers what does not belong to the login. It says nothing of it.
func (l *Server) notice(w http.ResponseWriter, status int, heading, text string) {
	w.Header().Set("Connection", "close")
	l.render(w, status, "notice", noticeView{heading, text})
}

// contentPolicy lets a page have its own style, and nothing else.
func contentPolicy(styleNonce string) string {
	policy := "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	if styleNonce != "" {
		policy += "; style-src 'nonce-" + styleNonce + "'"
	}
	return policy
}

// render writes a page.
func (l *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	style := nonce()
	err := l.templates.ExecuteTemplate(&page, name, struct {
		Style string
		Data  any
	}{style, data})
	if err != nil { // the templates are ours, and the tests render each of them
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy(style))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
	w.WriteHeader(status)
	w.Write(page.Bytes())
}

func parsePages() (*template.Template, error) {
	return template.ParseFS(pageFiles, "pages/*.html")
}
