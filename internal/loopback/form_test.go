package loopback_test

import (
	"context"
	"errors"
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

// formResult is what Ask returned.
type formResult struct {
	values map[string]secret.String
	err    error
}

// openForm is a form in a browser.
type openForm struct {
	t      *testing.T
	server *loopback.Server
	page   string // URL
	origin string
	done   <-chan formResult
}

func open(t *testing.T, f loopback.Form) *openForm {
	t.Helper()
	s := listen(t, loopback.Redirect{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	done := make(chan formResult, 1)
	asked := s.StageChanged()
	go func() {
		values, err := s.Ask(ctx, f)
		done <- formResult{values, err}
	}()
	<-asked
	p, address := getFollowing(t, s.Link())
	if p.status != 200 {
		t.Fatalf("status %d", p.status)
	}
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &openForm{t, s, address, "http://" + at.Host, done}
}

var tokenPattern = regexp.MustCompile(`name="authsome_token" value="([A-Z2-7]{26,})"`)

// token loads the page and returns the token of its form.
func (o *openForm) token() string {
	o.t.Helper()
	m := tokenPattern.FindStringSubmatch(get(o.t, o.page).body)
	if m == nil {
		o.t.Fatal("no token in the form")
	}
	return m[1]
}

// request is a submission of the form as a browser sends it.
func (o *openForm) request(values url.Values) *http.Request {
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

// submit submits the form with a new token.
func (o *openForm) submit(pairs ...string) page {
	o.t.Helper()
	values := url.Values{"authsome_token": {o.token()}}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	p := do(o.t, o.request(values))
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

func TestFormAsksUntilTheValuesAreValid(t *testing.T) {
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
	for _, want := range []string{"https://acme.test/keys", "Create a key at Acme", "http://127.0.0.1:7999/callback", "api.acme.test", `value="https://acme.test"`, `type="password"`, `for="f-api_key"`,
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
		{"", "Required."},
		{"canary-wrong-shape", "does not look like a key"},
		{"ak-0123\x00abcd", "control or invisible character"},
		{"ak-0123\u200babcd", "control or invisible character"},
		{"ak-0123\r\nabcd", "control or invisible character"},
		{"ak-ffffffff", "Acme refused the key"},
	} {
		o.submit("base_url", "https://typed.test/<b>", "api_key", wrong.entered)
		p := get(t, o.page)
		for _, want := range []string{wrong.shown, `aria-invalid="true"`, `role="alert"`, "Please fix the field below.", "https://typed.test/&lt;b&gt;"} {
			if !strings.Contains(p.body, want) {
				t.Errorf("after %q the form lacks %q", wrong.entered, want)
			}
		}
		if wrong.entered != "" && strings.Contains(p.body, wrong.entered) {
			t.Errorf("the form repeats %q", wrong.entered)
		}
	}
	// A field that the user cleared stays empty: the initial value does not come back.
	o.submit("base_url", "", "api_key", " "+key+"\n")
	got := <-o.done
	if got.err != nil || got.values["api_key"].Reveal() != key || len(got.values) != 1 {
		t.Errorf("%d values, %v", len(got.values), got.err)
	}
}

func TestFormForAnOAuthClient(t *testing.T) {
	o := open(t, loopback.Form{
		KeyURL: "https://acme.test/apps",
		Fields: []loopback.Field{{Name: "client_id", Label: "Client ID"}, {Name: "client_secret", Label: "Client secret", Secret: true}},
	})
	if p := get(t, o.page); !strings.Contains(p.body, "Create an OAuth app at Acme") {
		t.Errorf("the form does not offer to create an OAuth app:\n%s", p.body)
	}
	o.submit()
	if p := get(t, o.page); !strings.Contains(p.body, "Please fix the fields below.") {
		t.Errorf("the form does not say that two fields are wrong:\n%s", p.body)
	}
}

func TestForgedFormsAreRefused(t *testing.T) {
	o := open(t, keyForm())
	good := func() url.Values { return url.Values{"authsome_token": {o.token()}, "api_key": {key}} }
	for _, test := range []struct {
		name   string
		values func() url.Values
		change func(*http.Request)
		status int
	}{
		{"no token", func() url.Values { return url.Values{"api_key": {key}} }, nil, 403},
		{"guessed token", func() url.Values { return url.Values{"api_key": {key}, "authsome_token": {strings.Repeat("A", 26)}} }, nil, 403},
		{"another site", good, func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") }, 403},
		{"another port of this machine", good, func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:1")
			r.Header.Set("Sec-Fetch-Site", "same-site")
		}, 403},
		{"null origin", good, func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"no origin", good, func(r *http.Request) { r.Header.Del("Origin") }, 403},
		{"another site, by Sec-Fetch-Site", good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"DNS rebinding", good, func(r *http.Request) { r.Host = "evil.test"; r.Header.Set("Origin", "http://evil.test") }, 421},
		{"JSON", good, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		{"plain text", good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		{"70 KB", func() url.Values { v := good(); v.Set("x", strings.Repeat("x", 70<<10)); return v }, nil, 413},
		{"field twice", func() url.Values { v := good(); v.Add("api_key", "other"); return v }, nil, 400},
		{"PUT", good, func(r *http.Request) { r.Method = http.MethodPut }, 405},
		{"another path", good, func(r *http.Request) { r.URL.Path = "/" }, 405},
	} {
		r := o.request(test.values())
		if test.change != nil {
			test.change(r)
		}
		p := do(t, r)
		if p.status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, p.status, test.status)
		}
		select {
		case got := <-o.done:
			t.Fatalf("%s was accepted: %d values, %v", test.name, len(got.values), got.err)
		default:
		}
	}
	o.submit("api_key", key)
	if got := <-o.done; got.err != nil || got.values["api_key"].Reveal() != key {
		t.Errorf("the right form: %v", got.err)
	}
}

// A form that is submitted again while Accept checks the first submission is
// checked once.
func TestSecondSubmissionHasNoEffect(t *testing.T) {
	checking, checked := make(chan struct{}), make(chan struct{})
	checks := 0
	f := keyForm()
	f.Accept = func(context.Context, map[string]secret.String) error {
		checks++
		close(checking)
		<-checked
		return nil
	}
	o := open(t, f)
	values := url.Values{"authsome_token": {o.token()}, "api_key": {key}}
	statuses := make(chan int, 3)
	submit := func(r *http.Request) { statuses <- do(t, r).status }
	first, second, third := o.request(values), o.request(values), o.request(values)
	go submit(first)
	<-checking
	go submit(second)
	close(checked)
	if got := <-o.done; got.err != nil || got.values["api_key"].Reveal() != key {
		t.Errorf("%v", got.err)
	}
	submit(third)
	for range 3 {
		if status := <-statuses; status != http.StatusSeeOther {
			t.Errorf("status %d", status)
		}
	}
	if checks != 1 {
		t.Errorf("checked %d times", checks)
	}
}

// After a form the browser reaches the authorization server through an extra page,
// which does not contain the authorization URL; see continueToProvider.
func TestContinueFromFormToProvider(t *testing.T) {
	o := open(t, keyForm())
	o.submit("api_key", key)
	<-o.done
	expect(t, o.server, flows.Authorization{URL: "https://acme.test/authorize?state=" + state, State: state})
	p := get(t, o.page)
	if p.status != 200 || strings.Contains(p.body, state) || !strings.Contains(p.body, `http-equiv="refresh"`) {
		t.Fatalf("status %d: %s", p.status, p.body)
	}
	at, _ := url.Parse(o.page)
	if p := get(t, o.origin+at.Path+"/go"); p.header.Get("Location") != "https://acme.test/authorize?state="+state {
		t.Errorf("redirected to %q", p.header.Get("Location"))
	}
}
