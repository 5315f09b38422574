package flows_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// fakeServer is an authorization server that can also answer wrongly. It answers each
// request with the next of its handlers, and all further requests with the last one. It
// records the requests.
type fakeServer struct {
	*httptest.Server

	mu       sync.Mutex // guards the fields below
	handlers []handler
	seen     []request
}

type handler = http.HandlerFunc

// request is a recorded request. Its body is the text that was sent or, for a form, one
// line of name=value for each parameter, sorted by name.
type request struct {
	method, path, query string
	header              http.Header
	body                string
	last                bool // the client closes the connection after it
}

func newFakeServer(t *testing.T, handlers ...handler) *fakeServer {
	t.Helper()
	h := &fakeServer{handlers: handlers}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func (h *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	text := string(body)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(text); err == nil {
			text = formLines(form)
		}
	}
	h.mu.Lock()
	h.seen = append(h.seen, request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header, text, r.Close})
	next := h.handlers[0]
	if len(h.handlers) > 1 {
		h.handlers = h.handlers[1:]
	}
	h.mu.Unlock()
	next(w, r)
}

// requests returns the requests so far.
func (h *fakeServer) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// formLines returns a form as in [request].
func formLines(form url.Values) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, v := range form[name] {
			all = append(all, name+"="+v)
		}
	}
	return strings.Join(all, "\n")
}

// respond answers with a body, as JSON.
func respond(status int, body string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// respondAs is respond with another content type.
func respondAs(contentType string, status int, body string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// redirectTo answers with a redirect. A client that follows it sends the secret on.
func redirectTo(status int, to string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// hangUp closes the connection instead of answering.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

// hangUpMidAnswer closes the connection in the middle of an answer.
func hangUpMidAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, `{"access_token":"lost-access","refresh_token":"`)
}

// respondRaw answers with any bytes, which need not be HTTP.
func respondRaw(text string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(c, text)
			c.Close()
		}
	}
}

// respondHuge answers with a token and 3 MiB of white space.
func respondHuge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"access_token":"the-access","token_type":"Bearer"}`)
	for range 3 << 10 {
		if _, err := io.WriteString(w, strings.Repeat(" ", 1<<10)); err != nil {
			return
		}
	}
}

// respondForever begins an answer, signals that, and does not end it.
func respondForever(begun chan<- struct{}) handler {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"a",`)
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
	}
}

// rotating is a token endpoint that accepts each refresh token once. If one is used again,
// it refuses all of them from then on.
type rotating struct {
	mu      sync.Mutex // guards the fields below
	current string     // the valid refresh token
	issued  int
	dead    bool // a refresh token was used twice
	lose    bool // accept the next refresh token but do not answer
}

func (f *rotating) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	form, _ := url.ParseQuery(string(bodyOf(r)))
	if f.dead || form.Get("refresh_token") != f.current {
		f.dead = true
		respond(400, `{"error":"invalid_grant","error_description":"used: `+form.Get("refresh_token")+`"}`)(w, r)
		return
	}
	f.issued++
	f.current = fmt.Sprintf("rotated-refresh-%d", f.issued)
	if f.lose {
		f.lose = false
		hangUp(w, r)
		return
	}
	respond(200, fmt.Sprintf(`{"access_token":"rotated-access-%d","token_type":"bearer","expires_in":3600.0,"refresh_token":%q}`, f.issued, f.current))(w, r)
}

func (f *rotating) state() (issued int, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issued, f.dead
}

func bodyOf(r *http.Request) []byte {
	b, _ := io.ReadAll(r.Body)
	return b
}

// define makes a definition. oauth are further members of its oauth object, and more are
// further members of the definition. AT in them is replaced by the server's address.
func (h *fakeServer) define(t *testing.T, oauth, more string) *providers.Definition {
	t.Helper()
	base := `"authorization_url":"AT/authorize","token_url":"AT/token"`
	if oauth != "" && !strings.Contains(oauth, `"discovery"`) {
		base += ","
	} else if oauth != "" {
		base = ""
	}
	text := `{"schema_version":2,"name":"acme","flows":["pkce"],"hosts":["api.acme.example"],"oauth":{` + base + oauth + `}`
	if more != "" {
		text += "," + more
	}
	text = strings.ReplaceAll(text+"}", "AT", h.URL)
	var object map[string]any // a repeated member, such as "token_url", overrides the first
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	d, err := providers.Parse(data)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// config returns a client at the server, which is defined as by define.
func (h *fakeServer) config(t *testing.T, oauth, more string) *flows.Config {
	t.Helper()
	return &flows.Config{
		Definition: h.define(t, oauth, more),
		Client:     flows.Client{ID: "id", Secret: secret.New("hush-secret")},
		Now:        func() time.Time { return noon },
	}
}

// newTLSServer returns a server whose certificate is not trusted.
func newTLSServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(respond(200, `{"access_token":"a"}`))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// withURL replaces AT in a text by the server's address.
func withURL(h *fakeServer, text string) string { return strings.ReplaceAll(text, "AT", h.URL) }
