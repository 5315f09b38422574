package loopback

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed pages
var pageFiles embed.FS

func parsePages() (*template.Template, error) {
	return template.ParseFS(pageFiles, "pages/*.html")
}

// The data of the pages.
type (
	formView struct {
		Title, Purpose, Action, Token string
		KeyURL, Redirect              string
		OAuthApp                      bool // KeyURL creates an OAuth app rather than a key
		Steps                         []stepView
		Hosts                         []string
		Back                          bool
		Failed                        bool   // the form was sent, and something was wrong
		Problem                       string // with the form as a whole
		Invalid                       int    // the number of fields with a problem
		Fields                        []fieldView
		Choices                       []Choice
		Code                          *Code
		Number                        int // of the stage, for the page that waits
	}
	// stepView is the text of a step, before and after the redirect URL in it.
	stepView  struct{ Before, Redirect, After string }
	fieldView struct {
		Field
		Entered string
		Problem string
		Focus   bool
	}
	continueView struct{ Title, Next string }
	outcomeView  struct {
		Title string
		Outcome
	}
	notice struct{ Heading, Text string }
)

// showNotice answers a request that does not belong to the login. The notice must
// not reveal anything about the login.
func (s *Server) showNotice(w http.ResponseWriter, status int, n notice) {
	w.Header().Set("Connection", "close")
	s.render(w, status, "notice", n)
}

// contentPolicy allows a page its own style and script, and requests to this server.
// Without a nonce it allows nothing.
func contentPolicy(nonce string) string {
	policy := "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	if nonce != "" {
		policy += "; style-src 'nonce-" + nonce + "'; script-src 'nonce-" + nonce + "'; connect-src 'self'"
	}
	return policy
}

// render writes the page that the named template makes of data.
func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	nonce := rand.Text()
	err := s.templates.ExecuteTemplate(&page, name, struct {
		Nonce string
		Data  any
	}{nonce, data})
	if err != nil { // cannot happen: the templates are embedded, and the tests render each of them
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy(nonce))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
	w.WriteHeader(status)
	w.Write(page.Bytes())
}

// sentence turns an error text into a sentence for a page.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}
