package flows_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

func TestVerify(t *testing.T) {
	const key = "ak-canary-1"
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/v1/me":
			fmt.Fprint(w, `{"user":{"id":42,"mail":"kim@acme.test\u202e"}}`)
		case "/marked":
			fmt.Fprint(w, "\ufeff"+`{"user":{"id":42}}`)
		case "/forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "/elsewhere":
			http.Redirect(w, r, "/v1/me", http.StatusFound)
		case "/broken":
			w.WriteHeader(http.StatusBadGateway)
		case "/text":
			fmt.Fprint(w, "fine")
		}
	}))
	t.Cleanup(service.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, test := range []struct {
		name, url, key string
		want           error
		account        flows.Account
	}{
		{"valid", service.URL + "/v1/me", key, nil, flows.Account{ID: "42", Label: "kim@acme.test"}},
		{"valid, without an account in the answer", service.URL + "/text", key, nil, flows.Account{}},
		{"valid, with a byte order mark", service.URL + "/marked", key, nil, flows.Account{ID: "42"}},
		{"refused", service.URL + "/v1/me", "ak-canary-2", flows.ErrRefused, flows.Account{}},
		{"forbidden", service.URL + "/forbidden", key, flows.ErrRefused, flows.Account{}},
		{"redirected", service.URL + "/elsewhere", key, flows.ErrUnverified, flows.Account{}},
		{"server error", service.URL + "/broken", key, flows.ErrUnverified, flows.Account{}},
		{"unreachable", gone.URL, key, flows.ErrUnverified, flows.Account{}},
		{"not a valid header value", service.URL + "/v1/me", "a\nb", flows.ErrUnverified, flows.Account{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := providers.Parse([]byte(`{"schema_version":2,"name":"acme","display_name":"Acme","category":"other","flows":["api_key"],
				"params":[{"name":"api_key","label":"API key","secret":true}],"hosts":["api.acme.test"],
				"inject":[{"in":"header","name":"X-Key","value":"{api_key}"}],
				"verify":{"url":"https://api.acme.test/me","id":"user.id","label":"user.mail"}}`))
			if err != nil {
				t.Fatal(err)
			}
			d.Verify.URL = test.url // the parser does not allow this machine
			account, err := flows.Verify(t.Context(), nil, d, providers.Credential{Values: providers.Values{"api_key": secret.New(test.key)}})
			if account != test.account || !errors.Is(err, test.want) {
				t.Errorf("account %+v, error %v", account, err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error contains the key: %v", err)
			}
		})
	}
}

// late is a connection that times out.
type late struct{}

func (late) RoundTrip(*http.Request) (*http.Response, error) { return nil, os.ErrDeadlineExceeded }

// A service that is slow can be reached, and the error says so.
func TestVerifyTimeout(t *testing.T) {
	d, err := providers.Parse([]byte(`{"schema_version":2,"name":"acme","flows":["api_key"],"params":[{"name":"api_key","secret":true}],
		"hosts":["api.acme.test"],"verify":{"url":"https://api.acme.test/me"}}`))
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	for _, tt := range []struct {
		ctx  context.Context
		want string
	}{
		{t.Context(), "the credential could not be checked: api.acme.test did not answer in 10 seconds"},
		{over, "the credential could not be checked: api.acme.test did not answer in time"},
	} {
		_, err := flows.Verify(tt.ctx, &http.Client{Transport: late{}}, d, providers.Credential{Values: providers.Values{"api_key": secret.New("ak")}})
		if !errors.Is(err, flows.ErrUnverified) || err.Error() != tt.want {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
