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

// tokens is a Credentials whose token is "old" until it is renewed, and then "new".
type tokens struct {
	t     testing.TB
	fails bool // to renew

	mu      sync.Mutex // guards all below
	current uint64
	renewed int // calls of Renew
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

// replayTest is a request whose credential is refused.
type replayTest struct {
	name     string
	method   string
	body     string
	streamed bool // the length of the body is not known
	fails    bool // the credential cannot be renewed
	status   int  // that the client gets
	replayed bool
}

func TestRefusedCredentialIsRenewedAndTheRequestSentAgain(t *testing.T) {
	long := strings.Repeat("x", replayLimit+1)
	for _, tt := range []replayTest{
		{"no body", "GET", "", false, false, 200, true},
		{"small body", "POST", "small", false, false, 200, true},
		{"largest body that is kept", "PUT", long[1:], false, false, 200, true},
		{"one byte more", "PUT", long, false, false, 401, false},
		{"unknown length", "POST", "small", true, false, 401, false},
		{"not renewed", "POST", "small", false, true, 401, false},
	} {
		for _, version := range []string{"h1", "h2"} {
			t.Run(tt.name+" "+version, func(t *testing.T) { tt.run(t, version) })
		}
	}
}

func (tt *replayTest) run(t *testing.T, version string) {
	credentials := &tokens{t: t, current: 1, fails: tt.fails}
	r := newRig(t, func(r *rig) { r.Credentials = credentials })
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
	client := r.client()
	if version == "h1" {
		client = r.http1()
	}
	response, err := client.Do(tt.request(t))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	want := map[int]string{200: "hello", 401: "who?"}[tt.status]
	if err != nil || response.StatusCode != tt.status || string(answer) != want {
		t.Errorf("got %d %q, %v; want %d", response.StatusCode, answer, err, tt.status)
	}
	if x := r.next(); x.Replayed != tt.replayed || x.Status != tt.status || !x.Injected || x.Sent != int64(len(tt.body)) {
		t.Errorf("recorded %+v", x)
	}
	sent := r.requests()
	if len(sent) != map[bool]int{true: 2, false: 1}[tt.replayed] || credentials.renewed != 1 {
		t.Fatalf("the upstream saw %d requests, and Renew was called %d times", len(sent), credentials.renewed)
	}
	for i, q := range sent {
		if bodies[i] != tt.body || q.URL.RequestURI() != "/x?y=1" || q.Header.Get("X-Own") != "kept" || q.Method != tt.method {
			t.Errorf("request %d: %s %s, body of %d bytes", i, q.Method, q.URL, len(bodies[i]))
		}
	}
	if tt.fails {
		return
	}
	// Even if this request was not sent again, the next one has the new credential.
	if response, _ := get(t, client, "https://"+routedHost+"/next"); response.StatusCode != 200 {
		t.Errorf("the next request: %d", response.StatusCode)
	}
}

func (tt *replayTest) request(t *testing.T) *http.Request {
	var body io.Reader
	switch {
	case tt.streamed:
		body = io.MultiReader(strings.NewReader(tt.body)) // net/http does not know its length
	case tt.body != "":
		body = strings.NewReader(tt.body)
	}
	q, err := http.NewRequest(tt.method, "https://"+routedHost+"/x?y=1", body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("X-Own", "kept")
	return q
}

// A service that refuses everything gets each request twice and not more often.
func TestSecondRefusalIsPassedOn(t *testing.T) {
	c := &tokens{t: t, current: 1}
	r := newRig(t, func(r *rig) { r.Credentials = c })
	r.handle(func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(401) })
	response, _ := get(t, r.client(), "https://"+routedHost+"/")
	if n := len(r.requests()); response.StatusCode != 401 || n != 2 || c.renewed != 1 {
		t.Errorf("got %d after %d requests and %d renewals", response.StatusCode, n, c.renewed)
	}
}

// RFC 6750 section 3.1: another token of the same scope does not fix a 403.
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

// Renew is not called for a credential that cannot be renewed, such as an API key.
func TestAPIKeyIsNotRenewed(t *testing.T) {
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
	u.t.Error("Renew was called for a key")
	return false
}

// A 401 that comes before the whole body was read does not cost the request: what was
// read of the body is sent again, and then the rest as the client sends it.
func TestRefusalBeforeTheWholeBodyIsReplayed(t *testing.T) {
	c := &tokens{t: t, current: 1}
	r := newRig(t, func(r *rig) { r.Credentials = c })
	body, more := io.Pipe()
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(401)
			return
		}
		go func() { more.Write([]byte(" rest")); more.Close() }()
		b, err := io.ReadAll(q.Body)
		fmt.Fprint(w, string(b), err)
	})
	for _, client := range []*http.Client{r.client(), r.http1(), r.absolute()} {
		c.mu.Lock()
		c.current = 1
		c.mu.Unlock()
		q, err := http.NewRequest("POST", "https://"+routedHost+"/", body)
		if err != nil {
			t.Fatal(err)
		}
		q.ContentLength = 10
		go more.Write([]byte("half?"))
		response, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != 200 || string(text) != "half? rest<nil>" {
			t.Errorf("%s: got %d %q", response.Proto, response.StatusCode, text)
		}
		if x := r.next(); !x.Replayed || x.Sent != 10 {
			t.Errorf("recorded %+v", x)
		}
		body, more = io.Pipe()
	}
}

// BenchmarkIntercepted measures a request through the proxy to an upstream on
// loopback, with both ends of TLS in this process.
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
