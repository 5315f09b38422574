package loopback_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/secret"
)

// filled is what Ask returned.
type filled struct {
	values map[string]secret.String
	err    error
}

// opened is a form in a browser.
type opened struct {
	t      *testing.T
	l      *loopback.Server
	page   string // address
	origin string
	done   <-chan filled
}

func open(t *testing.T, f loopback.Form) *opened {
	t.Helper()
	l := listen(t, &loopback.Server{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	done := make(chan filled, 1)
	stages := l.Stages()
	go func() {
		values, err := l.Ask(ctx, f)
		done <- filled{values, err}
	}()
	<-stages
	p, address := follow(t, l.Link())
	if p.status != 200 {
		t.Fatalf("status %d", p.status)
	}
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &opened{t, l, address, "http://" + at.Host, done}
}

var tokenPattern = regexp.MustCompile(`name="authsome_token" value="([0-9a-f]{32})"`)

func (o *opened) token() string {
	o.t.Helper()
	m := tokenPattern.FindStringSubmatch(get(o.t, o.page).body)
	if m == nil {
		o.t.Fatal("no token in the form")
	}
	return m[1]
}

func (o *opened) request(values url.Values) *http.Request {
	o.t.Helper()
	r, err := http.NewRequest(http.MethodPost, o.page, strings.NewReader(values.Encode()))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", o.origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// send submits the form with a fresh token, as a browser does.
func (o *opened) send(pairs ...string) page {
	o.t.Helper()
	values := url.Values{"authsome_token": {o.token()}}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	p := ask(o.t, o.request(values))
	if p.status != http.StatusSeeOther {
		o.t.Fatalf("status %d", p.status)
	}
	return p
}

func keyForm() loopback.Form {
	shape := regexp.MustCompile(`^ak-[0-9a-f]{8}$`)
	return loopback.Form{
		Purpose: "Enter the key", KeyURL: "https://acme.test/keys", Redirect: "http://127.0.0.1:7999/callback", Hosts: []string{"api.acme.test"},
		Fields: []loopback.Field{
			{Name: "base_url", Label: "Address", Value: "https://acme.test", Optional: true},
			{Name: "api_key", Label: "API key", Hint: "ak- and eight digits", Secret: true, Check: func(v string) error {
				if !shape.MatchString(v) {
					return errors.New("this does not look like a key")
				}
				return nil
			}},
		},
	}
}

const key = "ak-0123abcd"

func TestAFormIsFilledIn(t *testing.T) {
	f := keyForm()
	refused := errors.New("Acme refused the key")
	f.Accept = func(_ context.Context, values map[string]secret.String) error {
		if values["api_key"].Reveal() != key {
			return &loopback.FieldError{Field: "api_key", Err: refused}
		}
		return nil
	}
	o := open(t, f)
	p := get(t, o.page)
	for _, want := range []string{"https://acme.test/keys", "http://127.0.0.1:7999/callback", "api.acme.test", `value="https://acme.test"`, `type="password"`, `for="f-api_key"`,
		`aria-describedby="d-api_key"`, "(optional)", `lang="en"`, "ak- and eight digits"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	if got := p.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if policy := p.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; form-action 'self'") {
		t.Errorf("the policy is %q", policy)
	}
	for _, wrong := range []struct{ entered, shown string }{
		{"", "This is needed."},
		{"canary-wrong-shape", "does not look like a key"},
		{"ak-0123\x00abcd", "control or invisible character"},
		{"ak-0123\u200babcd", "control or invisible character"},
		{"ak-0123\r\nabcd", "control or invisible character"},
		{"ak-ffffffff", "Acme refused the key"},
	} {
		o.send("base_url", "https://typed.test/<b>", "api_key", wrong.entered)
		p := get(t, o.page)
		for _, want := range []string{wrong.shown, `aria-invalid="true"`, `role="alert"`, "https://typed.test/&lt;b&gt;"} {
			if !strings.Contains(p.body, want) {
				t.Errorf("after %q the form lacks %q", wrong.entered, want)
			}
		}
		if wrong.entered != "" && strings.Contains(p.body, wrong.entered) {
			t.Errorf("the form repeats %q", wrong.entered)
		}
	}
	// Cleared is cleared: the first value does not come back.
	o.send("base_url", "", "api_key", " "+key+"\n")
	got := <-o.done
	if got.err != nil || got.values["api_key"].Reveal() != key || len(got.values) != 1 {
		t.Errorf("%d values, %v", len(got.values), got.err)
	}
}

func TestHostileFormsAreRefused(t *testing.T) {
	o := open(t, keyForm())
	good := func() url.Values { return url.Values{"authsome_token": {o.token()}, "api_key": {key}} }
	for _, test := range []struct {
		name   string
		values func() url.Values
		change func(*http.Request)
		status int
	}{
		{"no token", func() url.Values { return url.Values{"api_key": {key}} }, nil, 403},
		{"guessed token", func() url.Values { return url.Values{"api_key": {key}, "authsome_token": {strings.Repeat("0", 32)}} }, nil, 403},
		{"another site", good, func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") }, 403},
		{"another port of this machine", good, func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:1")
			r.Header.Set("Sec-Fetch-Site", "same-site")
		}, 403},
		{"origin hidden", good, func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"no origin", good, func(r *http.Request) { r.Header.Del("Origin") }, 403},
		{"another site, by Sec-Fetch-Site", good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"rebound name", good, func(r *http.Request) { r.Host = "evil.test"; r.Header.Set("Origin", "http://evil.test") }, 421},
		{"JSON", good, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		{"plain text", good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		{"70 KB", func() url.Values { v := good(); v.Set("x", strings.Repeat("x", 70<<10)); return v }, nil, 413},
		{"field twice", func() url.Values { v := good(); v.Add("api_key", "other"); return v }, nil, 400},
		{"PUT", good, func(r *http.Request) { r.Method = http.MethodPut }, 405},
		{"elsewhere", good, func(r *http.Request) { r.URL.Path = "/" }, 405},
	} {
		r := o.request(test.values())
		if test.change != nil {
			test.change(r)
		}
		p := ask(t, r)
		if p.status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, p.status, test.status)
		}
		select {
		case got := <-o.done:
			t.Fatalf("%s was taken over: %d values, %v", test.name, len(got.values), got.err)
		default:
		}
	}
	o.send("api_key", key)
	if got := <-o.done; got.err != nil || got.values["api_key"].Reveal() != key {
		t.Errorf("the right form: %v", got.err)
	}
}

// A form that is sent twice, while the first one is still being judged, is judged
// once.
func TestASecondSubmitIsHarmless(t *testing.T) {
	judging, judged := make(chan struct{}), make(chan struct{})
	judgements := 0
	f := keyForm()
	f.Accept = func(context.Context, map[string]secret.String) error {
		judgements++
		close(judging)
		<-judged
		return nil
	}
	o := open(t, f)
	values := url.Values{"authsome_token": {o.token()}, "api_key": {key}}
	statuses := make(chan int, 3)
	submit := func(r *http.Request) { statuses <- ask(t, r).status }
	first, second, third := o.request(values), o.request(values), o.request(values)
	go submit(first)
	<-judging
	go submit(second)
	close(judged)
	if got := <-o.done; got.err != nil || got.values["api_key"].Reveal() != key {
		t.Errorf("%v", got.err)
	}
	submit(third)
	for range 3 {
		if status := <-statuses; status != http.StatusSeeOther {
			t.Errorf("status %d", status)
		}
	}
	if judgements != 1 {
		t.Errorf("judged %d times", judgements)
	}
}

// After a form the browser goes on to the authorization server by itself, over a
// page that does not name it: what comes after a sent form is held against the
// form's policy.
func TestFromAFormOnToTheServer(t *testing.T) {
	o := open(t, keyForm())
	o.send("api_key", key)
	<-o.done
	authorize(t, o.l, flows.Authorization{URL: "https://acme.test/authorize?state=" + state, State: state})
	p := get(t, o.page)
	if p.status != 200 || strings.Contains(p.body, state) || !strings.Contains(p.body, `http-equiv="refresh"`) {
		t.Fatalf("status %d: %s", p.status, p.body)
	}
	at, _ := url.Parse(o.page)
	if p := get(t, o.origin+at.Path+"/go"); p.header.Get("Location") != "https://acme.test/authorize?state="+state {
		t.Errorf("on to %q", p.header.Get("Location"))
	}
}

func TestFieldsWithSeveralLines(t *testing.T) {
	f := loopback.Field{Name: "key_file", Long: true}
	const pem = "-----BEGIN X-----\nYQ==\n-----END X-----"
	for entered, want := range map[string]string{
		" {\n\t\"a\": 1\r\n}\n": `{"a":1}`,
		pem + "\n":              pem,
	} {
		if v, err := f.Take(entered); err != nil || v.Reveal() != want {
			t.Errorf("%q is taken as %q, %v", entered, v.Reveal(), err)
		}
	}
	for _, entered := range []string{"{\x00}", "a\u2060b", ""} {
		_, err := f.Take(entered)
		if wrong, ok := errors.AsType[*loopback.FieldError](err); !ok || wrong.Field != "key_file" || entered != "" && strings.Contains(fmt.Sprint(err), entered) {
			t.Errorf("%q: %v", entered, err)
		}
	}
}
