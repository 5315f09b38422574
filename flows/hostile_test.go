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

// hostile is an authorization server that says what no real one does. It answers
// each request with the next step of its script, the last one for ever, and
// remembers what it was asked.
type hostile struct {
	*httptest.Server

	mu    sync.Mutex // guards all below
	steps []step
	seen  []request
}

type step = http.HandlerFunc

// request is what arrived. Body is a form or a JSON object, as "name=value" or
// the text, in the order of the names.
type request struct {
	method, path, query string
	header              http.Header
	body                string
	last                bool // of its connection
}

func newHostile(t *testing.T, steps ...step) *hostile {
	t.Helper()
	h := &hostile{steps: steps}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func (h *hostile) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	text := string(body)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(text); err == nil {
			text = lines(form)
		}
	}
	h.mu.Lock()
	h.seen = append(h.seen, request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header, text, r.Close})
	next := h.steps[0]
	if len(h.steps) > 1 {
		h.steps = h.steps[1:]
	}
	h.mu.Unlock()
	next(w, r)
}

// requests are those so far.
func (h *hostile) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// lines is a form to compare with.
func lines(form url.Values) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, v := range form[name] {
			all = append(all, name+"="+v)
		}
	}
	return strings.Join(all, "\n")
}

// says answers with a body, JSON unless it is something else.
func says(status int, body string) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func saysAs(contentType string, status int, body string) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// redirects sends the request, and the secret in it, elsewhere.
func redirects(status int, to string) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// cuts ends the connection instead of answering.
func cuts(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

// cutsShort ends the connection in the middle of an answer.
func cutsShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, `{"access_token":"lost-access","refresh_token":"`)
}

// raw answers with bytes that need not be HTTP.
func raw(text string) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(c, text)
			c.Close()
		}
	}
}

// huge answers with a token, and then white space for a long time.
func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"access_token":"the-access","token_type":"Bearer"}`)
	for range 3 << 10 {
		if _, err := io.WriteString(w, strings.Repeat(" ", 1<<10)); err != nil {
			return
		}
	}
}

// slow begins an answer, tells when it did, and does not go on.
func slow(begun chan<- struct{}) step {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"a",`)
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
	}
}

// rotating is a token endpoint that accepts each refresh token once, and ends
// the family when one comes again. It can lose an answer after it has rotated.
type rotating struct {
	mu      sync.Mutex // guards all below
	current string
	issued  int
	dead    bool
	lose    bool
}

func (f *rotating) step(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	form, _ := url.ParseQuery(string(bodyOf(r)))
	if f.dead || form.Get("refresh_token") != f.current {
		f.dead = true
		says(400, `{"error":"invalid_grant","error_description":"used: `+form.Get("refresh_token")+`"}`)(w, r)
		return
	}
	f.issued++
	f.current = fmt.Sprintf("rotated-refresh-%d", f.issued)
	if f.lose {
		f.lose = false
		cuts(w, r)
		return
	}
	says(200, fmt.Sprintf(`{"access_token":"rotated-access-%d","token_type":"bearer","expires_in":3600.0,"refresh_token":%q}`, f.issued, f.current))(w, r)
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

// define makes a definition; oauth are members of its oauth object, where AT is
// the server's address, and more are members beside it.
func (h *hostile) define(t *testing.T, oauth, more string) *providers.Definition {
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
	var object map[string]any // later members win: "token_url" may come again
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

// config is a client of ours at the server.
func (h *hostile) config(t *testing.T, oauth, more string) *flows.Config {
	t.Helper()
	return &flows.Config{
		Definition: h.define(t, oauth, more),
		Client:     flows.Client{ID: "id", Secret: secret.New("hush-secret")},
		Now:        func() time.Time { return noon },
	}
}

// newTLSServer is a server whose certificate nobody trusts.
func newTLSServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(says(200, `{"access_token":"a"}`))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// at puts the server's address where a text says AT.
func at(h *hostile, text string) string { return strings.ReplaceAll(text, "AT", h.URL) }
