package intercept

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// tokens is a Credentials whose token is "old" until it is renewed, and "new"
// from then on.
type tokens struct {
	t     testing.TB
	fails bool // to renew

	mu      sync.Mutex // guards all below
	current uint64
	renewed int
}

func (c *tokens) Apply(_ context.Context, r *http.Request, _, _ string) (Applied, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	token := map[uint64]string{1: "old", 2: "new"}[c.current]
	i, err := definition(c.t, routedHost).Injection(providers.Credential{Values: providers.Values{"api_key": secret.New(token)}})
	if err != nil {
		return Applied{}, err
	}
	return Applied{Injection: i, Mark: c.current}, i.Apply(r)
}

func (c *tokens) Renew(_ context.Context, provider, connection string, mark uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if provider != "example" || connection != "default" {
		c.t.Errorf("renew %s/%s", provider, connection)
	}
	c.renewed++
	if c.fails {
		return false
	}
	if mark == c.current {
		c.current++
	}
	return true
}

func TestRefusedCredentialIsRenewedAndTheRequestSentAgain(t *testing.T) {
	long := strings.Repeat("x", replayLimit+1)
	for _, tt := range []struct {
		name     string
		method   string
		body     io.Reader // nil, or of a kind whose length net/http knows, or not
		text     string    // of the body
		fails    bool
		status   int // of the client's answer to the first request
		replayed bool
	}{
		{"no body", "GET", nil, "", false, 200, true},
		{"small body", "POST", strings.NewReader("small"), "small", false, 200, true},
		{"the largest that is kept", "PUT", strings.NewReader(long[1:]), long[1:], false, 200, true},
		{"one byte more", "PUT", strings.NewReader(long), long, false, 401, false},
		{"unknown length", "POST", io.MultiReader(strings.NewReader("small")), "small", false, 401, false},
		{"nothing better to be had", "POST", strings.NewReader("small"), "small", true, 401, false},
	} {
		for _, client := range []string{"h1", "h2"} {
			t.Run(tt.name+" "+client, func(t *testing.T) {
				c := &tokens{t: t, current: 1, fails: tt.fails}
				r := newRig(t, func(r *rig) { r.Credentials = c })
				var mu sync.Mutex
				var bodies []string
				r.handle(func(w http.ResponseWriter, q *http.Request) {
					b, err := io.ReadAll(q.Body)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					bodies = append(bodies, string(b))
					mu.Unlock()
					if q.Header.Get("Authorization") != "Bearer new" {
						w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
						w.WriteHeader(401)
						fmt.Fprint(w, "who?")
						return
					}
					fmt.Fprint(w, "hello")
				})
				if tt.body != nil {
					if s, ok := tt.body.(io.Seeker); ok {
						s.Seek(0, io.SeekStart)
					} else {
						tt.body = io.MultiReader(strings.NewReader(tt.text))
					}
				}
				q, err := http.NewRequest(tt.method, "https://"+routedHost+"/x?y=1", tt.body)
				if err != nil {
					t.Fatal(err)
				}
				q.Header.Set("X-Own", "kept")
				h := r.client()
				if client == "h1" {
					h = r.http1()
				}
				response, err := h.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(response.Body)
				response.Body.Close()
				want := map[int]string{200: "hello", 401: "who?"}[tt.status]
				if err != nil || response.StatusCode != tt.status || string(answer) != want {
					t.Errorf("got %d %q, %v; want %d", response.StatusCode, answer, err, tt.status)
				}
				if x := r.next(); x.Replayed != tt.replayed || x.Status != tt.status || !x.Injected || x.Sent != int64(len(tt.text)) {
					t.Errorf("recorded %+v", x)
				}
				sent := r.requests()
				if len(sent) != map[bool]int{true: 2, false: 1}[tt.replayed] || c.renewed != 1 {
					t.Fatalf("the upstream saw %d requests, and %d were asked to be renewed", len(sent), c.renewed)
				}
				for i, q := range sent {
					if bodies[i] != tt.text || q.URL.RequestURI() != "/x?y=1" || q.Header.Get("X-Own") != "kept" || q.Method != tt.method {
						t.Errorf("request %d: %s %s, body of %d bytes", i, q.Method, q.URL, len(bodies[i]))
					}
				}
				if tt.fails {
					return
				}
				// Whatever came of the first one, the next has the new credential.
				if response, _ := get(t, h, "https://"+routedHost+"/next"); response.StatusCode != 200 {
					t.Errorf("the next request: %d", response.StatusCode)
				}
			})
		}
	}
}

// A service that refuses everything gets each request twice, and no more.
func TestSecondRefusalGoesBack(t *testing.T) {
	c := &tokens{t: t, current: 1}
	r := newRig(t, func(r *rig) { r.Credentials = c })
	r.handle(func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(401) })
	response, _ := get(t, r.client(), "https://"+routedHost+"/")
	if n := len(r.requests()); response.StatusCode != 401 || n != 2 || c.renewed != 1 {
		t.Errorf("got %d after %d requests and %d renewals", response.StatusCode, n, c.renewed)
	}
}

// RFC 6750 section 3.1: another token of the same scope does not mend a 403.
func TestOtherRefusalsAreNotReplayed(t *testing.T) {
	for _, status := range []int{403, 407, 429, 500} {
		c := &tokens{t: t, current: 1}
		r := newRig(t, func(r *rig) { r.Credentials = c })
		r.handle(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope"`)
			w.WriteHeader(status)
		})
		response, _ := get(t, r.client(), "https://"+routedHost+"/")
		if response.StatusCode != status || response.Header.Get("WWW-Authenticate") == "" || len(r.requests()) != 1 || c.renewed != 0 {
			t.Errorf("%d: got %d after %d requests and %d renewals", status, response.StatusCode, len(r.requests()), c.renewed)
		}
	}
}

// A credential that cannot be renewed, as an API key, is never asked about.
func TestKeyIsNotRenewed(t *testing.T) {
	r := newRig(t, func(r *rig) { r.Credentials = unrenewable{r.Credentials.(key), t} })
	r.handle(func(w http.ResponseWriter, q *http.Request) { io.Copy(io.Discard, q.Body); w.WriteHeader(401) })
	response, err := r.client().Post("https://"+routedHost+"/", "text/plain", bytes.NewReader([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 401 || len(r.requests()) != 1 {
		t.Errorf("got %d after %d requests", response.StatusCode, len(r.requests()))
	}
}

type unrenewable struct {
	key
	t *testing.T
}

func (u unrenewable) Renew(context.Context, string, string, uint64) bool {
	u.t.Error("asked to renew a key")
	return false
}

// An answer that comes before the body was read does not wait for it, and the
// rest of the body is not invented.
func TestBodyThatWasNotReadIsNotSentAgain(t *testing.T) {
	c := &tokens{t: t, current: 1}
	r := newRig(t, func(r *rig) { r.Credentials = c })
	r.handle(func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(401) })
	body, more := io.Pipe()
	defer more.Close()
	q, err := http.NewRequest("POST", "https://"+routedHost+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	q.ContentLength = 10
	go more.Write([]byte("half?"))
	response, err := r.client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 401 || len(r.requests()) != 1 || c.renewed != 1 {
		t.Errorf("got %d after %d requests and %d renewals", response.StatusCode, len(r.requests()), c.renewed)
	}
}

// BenchmarkIntercepted is a request through the proxy to an upstream on loopback,
// both ends of TLS in this process.
func BenchmarkIntercepted(b *testing.B) {
	r := newRig(b, func(r *rig) { r.Record = nil })
	r.handle(func(w http.ResponseWriter, q *http.Request) { io.Copy(io.Discard, q.Body) })
	c := r.http1()
	body := strings.Repeat("x", 512)
	for _, method := range []string{"GET", "POST"} {
		b.Run(method, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var content io.Reader
				if method == "POST" {
					content = strings.NewReader(body)
				}
				q, err := http.NewRequest(method, "https://"+routedHost+"/", content)
				if err != nil {
					b.Fatal(err)
				}
				response, err := c.Do(q)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				r.mu.Lock()
				r.seen = nil
				r.mu.Unlock()
			}
		})
	}
}
