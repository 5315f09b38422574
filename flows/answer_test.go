package flows_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// The numbers are those of the list of mistakes of the Python authsome.
func TestTokenAnswer(t *testing.T) {
	const slack = `"response":{"access_token":["authed_user.access_token","access_token"],"refresh_token":["authed_user.refresh_token","refresh_token"],
		"expires_in":["authed_user.expires_in","expires_in"],"scope":["authed_user.scope","scope"],"token_type":["authed_user.token_type","token_type"],
		"account_id":["team.id"],"account_label":["team.name"],"error_when":{"ok":false}},"scope_separator":","`
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for _, test := range []struct {
		name    string
		oauth   string
		answer  step
		access  string // "the-access" if empty
		refresh string
		kind    string
		expires time.Time
		dies    time.Time
		scopes  []string
		account flows.Account
	}{
		{name: "the least", answer: says(200, `{"access_token":"the-access"}`)},
		{name: "all of RFC 6749", answer: says(200, `{"access_token":"the-access","token_type":"bearer","expires_in":3600,"refresh_token":"r","scope":"a b"}`),
			kind: "bearer", refresh: "r", expires: at(time.Hour), scopes: []string{"a", "b"}},
		{name: "token_type in capitals", answer: says(200, `{"access_token":"the-access","token_type":"BEARER"}`), kind: "BEARER"},
		{name: "23: a float", answer: says(200, `{"access_token":"the-access","expires_in":3600.0}`), expires: at(time.Hour)},
		{name: "23: a float with a part", answer: says(200, `{"access_token":"the-access","expires_in":0.5}`), expires: at(time.Second / 2)},
		{name: "23: a text", answer: says(200, `{"access_token":"the-access","expires_in":"3600"}`), expires: at(time.Hour)},
		{name: "23: an exponent", answer: says(200, `{"access_token":"the-access","expires_in":3.6e3}`), expires: at(time.Hour)},
		{name: "23: null", answer: says(200, `{"access_token":"the-access","expires_in":null}`)},
		{name: "23: no number", answer: says(200, `{"access_token":"the-access","expires_in":"soon"}`)},
		{name: "zero says nothing", answer: says(200, `{"access_token":"the-access","expires_in":0}`)},
		{name: "negative says nothing", answer: says(200, `{"access_token":"the-access","expires_in":-1}`)},
		{name: "beyond all time", answer: says(200, `{"access_token":"the-access","expires_in":1e300}`), expires: at(100 * 365 * 24 * time.Hour)},
		{name: "27: no lifetime", oauth: `"lifetime":"2h"`, answer: says(200, `{"access_token":"the-access"}`), expires: at(2 * time.Hour)},
		{name: "27: the answer's lifetime first", oauth: `"lifetime":"2h"`, answer: says(200, `{"access_token":"the-access","expires_in":60}`), expires: at(time.Minute)},
		{name: "23: RFC 3339", oauth: `"response":{"expires_at":["expires_at"]}`, answer: says(200, `{"access_token":"the-access","expires_at":"2026-11-24T13:00:00+00:00"}`), expires: at(time.Hour)},
		{name: "23: seconds since 1970", oauth: `"response":{"expires_at":["expires_at"]}`, answer: says(200, `{"access_token":"the-access","expires_at":1795525200}`), expires: at(time.Hour)},
		{name: "23: milliseconds since 1970, as text", oauth: `"response":{"expires_at":["expires_at"]}`,
			answer: says(200, `{"access_token":"the-access","expires_at":"1795525200000"}`), expires: at(time.Hour)},
		{name: "expires_in before expires_at", oauth: `"response":{"expires_at":["expires_at"]}`,
			answer: says(200, `{"access_token":"the-access","expires_at":1,"expires_in":60}`), expires: at(time.Minute)},
		{name: "expires_at means nothing where no definition says so", answer: says(200, `{"access_token":"the-access","expires_at":1795525200}`)},
		{name: "22: end of the refresh token", answer: says(200, `{"access_token":"the-access","refresh_token":"r","refresh_token_expires_in":60}`), refresh: "r", dies: at(time.Minute)},
		{name: "22: the same at another place", oauth: `"response":{"refresh_expires_in":["x_refresh_token_expires_in"]}`,
			answer: says(200, `{"access_token":"the-access","refresh_token":"r","x_refresh_token_expires_in":"60"}`), refresh: "r", dies: at(time.Minute)},
		{name: "22: scopes with commas where spaces were sent", answer: says(200, `{"access_token":"the-access","scope":"repo,gist"}`), scopes: []string{"repo", "gist"}},
		{name: "22: scopes as a list", answer: says(200, `{"access_token":"the-access","scope":["a","b c"]}`), scopes: []string{"a", "b", "c"}},
		{name: "22: scopes separated as the definition has it", oauth: `"scope_separator":"|"`, answer: says(200, `{"access_token":"the-access","scope":"a|b"}`), scopes: []string{"a", "b"}},
		{name: "21: nested", oauth: slack,
			answer: says(200, `{"ok":true,"authed_user":{"access_token":"the-access","refresh_token":"r","scope":"a,b","token_type":"user","expires_in":43200},"team":{"id":"T1","name":"Team"}}`),
			kind:   "user", refresh: "r", expires: at(12 * time.Hour), scopes: []string{"a", "b"}, account: flows.Account{ID: "T1", Label: "Team"}},
		{name: "21: two tokens, and what belongs to each", oauth: slack,
			answer: says(200, `{"ok":true,"access_token":"bot","refresh_token":"bot-r","expires_in":1,"token_type":"bot","scope":"bot","authed_user":{"access_token":"the-access","scope":"a"}}`),
			scopes: []string{"a"}},
		{name: "21: the other of several places", oauth: slack, answer: says(200, `{"ok":true,"access_token":"the-access","refresh_token":"r"}`), refresh: "r"},
		{name: "nested, with the usual members beside it", oauth: `"response":{"access_token":["data.access_token"]}`,
			answer: says(200, `{"data":{"access_token":"the-access","expires_in":60,"refresh_token":"r"},"expires_in":9}`), refresh: "r", expires: at(time.Minute)},
		{name: "nested, with the usual members above it", oauth: `"response":{"access_token":["data.token"]}`,
			answer: says(200, `{"data":{"token":"the-access"},"expires_in":60}`), expires: at(time.Minute)},
		{name: "24: another type, where the definition injects", oauth: `"x_inject":true`, answer: says(200, `{"access_token":"the-access","token_type":"api"}`), kind: "api"},
		{name: "status 201", answer: says(201, `{"access_token":"the-access"}`)},
		{name: "account as a number", oauth: `"response":{"account_id":["user.id"],"account_label":["none","user.name"]}`,
			answer:  says(200, `{"access_token":"the-access","user":{"id":90071992547409931,"name":"x\u0000\u202ey\n"}}`),
			account: flows.Account{ID: "90071992547409931", Label: "xy "}},
		{name: "a form", answer: saysAs("application/x-www-form-urlencoded; charset=utf-8", 200, "access_token=the-access&scope=repo&expires_in=60&token_type=bearer"),
			kind: "bearer", scopes: []string{"repo"}, expires: at(time.Minute)},
		{name: "JSON under another type", answer: saysAs("text/html", 200, `{"access_token":"the-access"}`)},
		{name: "an error that is none", answer: says(200, `{"access_token":"the-access","error":"","error_description":null}`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHostile(t, test.answer)
			more := ""
			if strings.Contains(test.oauth, "x_inject") {
				more = `"inject":[{"in":"header","name":"X-Token","value":"{access_token}"}]`
			}
			token, err := refresh(t.Context(), h.config(t, test.oauth, more))
			if err != nil {
				t.Fatal(err)
			}
			if test.access == "" {
				test.access = "the-access"
			}
			if got := token.AccessToken.Reveal(); got != test.access {
				t.Errorf("access token %q, want %q", got, test.access)
			}
			if got := token.RefreshToken.Reveal(); got != test.refresh {
				t.Errorf("refresh token %q, want %q", got, test.refresh)
			}
			if token.TokenType != test.kind {
				t.Errorf("type %q, want %q", token.TokenType, test.kind)
			}
			if !token.ExpiresAt.Equal(test.expires) {
				t.Errorf("expires %v, want %v", token.ExpiresAt, test.expires)
			}
			if !token.RefreshExpiresAt.Equal(test.dies) {
				t.Errorf("refresh token expires %v, want %v", token.RefreshExpiresAt, test.dies)
			}
			if !slices.Equal(token.Scopes, test.scopes) {
				t.Errorf("scopes %q, want %q", token.Scopes, test.scopes)
			}
			if token.Account != test.account {
				t.Errorf("account %+v, want %+v", token.Account, test.account)
			}
		})
	}
}

func TestTokenErrors(t *testing.T) {
	const failing = `"response":{"error_when":{"ok":false}}`
	header := func(name, value string, next step) step {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			next(w, r)
		}
	}
	for _, test := range []struct {
		name        string
		oauth       string
		answer      step
		kind        flows.Kind
		code        string
		status      int
		description string
		retry       time.Duration
	}{
		{name: "20: invalid_grant", answer: says(400, `{"error":"invalid_grant","error_description":"it is over"}`), kind: flows.Permanent, code: "invalid_grant", status: 400, description: "it is over"},
		{name: "20: invalid_client", answer: says(401, `{"error":"invalid_client"}`), kind: flows.Permanent, code: "invalid_client", status: 401},
		{name: "a code that nobody knows", answer: says(400, `{"error":"weird"}`), kind: flows.Permanent, code: "weird", status: 400},
		{name: "26: GitHub, with status 200", answer: says(200, `{"error":"bad_refresh_token","error_description":"x"}`), kind: flows.Permanent, code: "bad_refresh_token", status: 200, description: "x"},
		{name: "26: GitHub, as a form", answer: saysAs("application/x-www-form-urlencoded", 200, "error=bad_refresh_token&error_description=x"), kind: flows.Permanent, code: "bad_refresh_token", status: 200, description: "x"},
		{name: "26: Slack, with status 200", oauth: failing, answer: says(200, `{"ok":false,"error":"invalid_refresh_token"}`), kind: flows.Permanent, code: "invalid_refresh_token", status: 200},
		{name: "26: Slack, without a code", oauth: failing, answer: says(200, `{"ok":false}`), kind: flows.Protocol, status: 200},
		{name: "26: Slack, too many requests", oauth: failing, answer: header("Retry-After", "30", says(200, `{"ok":false,"error":"ratelimited"}`)), kind: flows.Transient, code: "ratelimited", status: 200, retry: 30 * time.Second},
		{name: "an error beside a token", answer: says(200, `{"error":"invalid_grant","access_token":"the-access"}`), kind: flows.Permanent, code: "invalid_grant", status: 200},
		{name: "an object for an error", answer: says(400, `{"error":{"code":"invalid_grant","message":"it is over"}}`), kind: flows.Permanent, code: "invalid_grant", status: 400, description: "it is over"},
		{name: "a number for an error", answer: says(400, `{"message":"Bad Request","error":400}`), kind: flows.Permanent, status: 400, description: "Bad Request"},
		{name: "the body before the status", answer: says(503, `{"error":"invalid_grant"}`), kind: flows.Permanent, code: "invalid_grant", status: 503},
		{name: "a code that is not final, with a status that is not", answer: says(503, `{"error":"invalid_request"}`), kind: flows.Transient, code: "invalid_request", status: 503},
		{name: "20: unavailable", answer: header("Retry-After", "120", says(503, `{}`)), kind: flows.Transient, status: 503, retry: 2 * time.Minute},
		{name: "unavailable until a date", answer: header("Retry-After", "Tue, 24 Nov 2026 12:01:00 GMT", says(503, ``)), kind: flows.Transient, status: 503, retry: time.Minute},
		{name: "unavailable for a lifetime", answer: header("Retry-After", "2000000000", says(503, ``)), kind: flows.Transient, status: 503, retry: 24 * time.Hour},
		{name: "unavailable since a while", answer: header("Retry-After", "-5", says(503, ``)), kind: flows.Transient, status: 503},
		{name: "temporarily_unavailable", answer: says(400, `{"error":"temporarily_unavailable"}`), kind: flows.Transient, code: "temporarily_unavailable", status: 400},
		{name: "too many requests", answer: says(429, `slow down`), kind: flows.Transient, status: 429},
		{name: "time-out", answer: says(408, ``), kind: flows.Transient, status: 408},
		{name: "a firewall's page", answer: saysAs("text/html", 403, `<h1>no</h1>`), kind: flows.Protocol, status: 403},
		{name: "a captive portal's page", answer: saysAs("text/html", 200, `<h1>pay</h1>`), kind: flows.Protocol, status: 200},
		{name: "not there", answer: says(404, `{}`), kind: flows.Protocol, status: 404},
		{name: "no token", answer: says(200, `{"expires_in":3600}`), kind: flows.Protocol, status: 200},
		{name: "an empty token", answer: says(200, `{"access_token":""}`), kind: flows.Protocol, status: 200},
		{name: "a token that is no text", answer: says(200, `{"access_token":{"value":"the-access"}}`), kind: flows.Protocol, status: 200},
		{name: "a token that no header carries", answer: says(200, `{"access_token":"the-access\r\nX-Evil: 1"}`), kind: flows.Protocol, status: 200},
		{name: "24: a type that nobody knows", answer: says(200, `{"access_token":"the-access","token_type":"dance"}`), kind: flows.Protocol, status: 200},
		{name: "24: a type that needs a key", oauth: `"x_inject":true`, answer: says(200, `{"access_token":"the-access","token_type":"DPoP"}`), kind: flows.Protocol, status: 200},
		{name: "a list", answer: says(200, `["the-access"]`), kind: flows.Protocol, status: 200},
		{name: "two documents", answer: says(200, `{"access_token":"the-access"}{}`), kind: flows.Protocol, status: 200},
		{name: "null", answer: says(200, `null`), kind: flows.Protocol, status: 200},
		{name: "nothing", answer: says(200, ``), kind: flows.Protocol, status: 200},
		{name: "a redirect", answer: redirects(307, "/elsewhere"), kind: flows.Protocol, status: 307},
		{name: "too large", answer: huge, kind: flows.Protocol, status: 200},
		{name: "25: cut before the answer", answer: cuts, kind: flows.Ambiguous},
		{name: "25: cut in the answer", answer: cutsShort, kind: flows.Ambiguous},
		{name: "25: not HTTP", answer: raw("the-refresh the-access\r\n\r\n"), kind: flows.Ambiguous},
		{name: "25: not HTTP in a header", answer: raw("HTTP/1.1 200 OK\r\nthe-refresh the-access\r\n\r\n"), kind: flows.Ambiguous},
		{name: "what was sent comes back", oauth: `"token_auth":"basic"`, answer: says(400, `{"error":"the-refresh","error_description":"no the-refresh of hush-secret"}`),
			kind: flows.Permanent, status: 400, description: "no ***REDACTED*** of ***REDACTED***"},
		{name: "text that is not for terminals", answer: says(400, `{"error":"invalid_grant","error_description":"a\u001b[31mb\nc\u202e"}`), kind: flows.Permanent, code: "invalid_grant", status: 400, description: "a[31mb c"},
		{name: "a code without an end", answer: says(400, `{"error":"`+strings.Repeat("x", 65)+`"}`), kind: flows.Permanent, status: 400},
		{name: "a code that is a text", answer: says(400, `{"error":"you may not, <b>"}`), kind: flows.Permanent, status: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHostile(t, test.answer)
			more := ""
			if strings.Contains(test.oauth, "x_inject") {
				more = `"inject":[{"in":"header","name":"X-Token","value":"{access_token}"}]`
			}
			token, err := refresh(t.Context(), h.config(t, test.oauth, more))
			if !reflect.DeepEqual(token, flows.Token{}) {
				t.Error("a token with an error")
			}
			e := tokenError(t, err, test.kind, test.code)
			if e.Status != test.status || e.Description != test.description || e.RetryAfter != test.retry {
				t.Errorf("status %d, description %q, retry after %v", e.Status, e.Description, e.RetryAfter)
			}
			if e.Description != "" && strings.Contains(e.Error(), e.Description) {
				t.Errorf("%v has the server's text", e)
			}
			if n := len(h.requests()); n != 1 {
				t.Errorf("%d requests: sent again, or elsewhere", n)
			}
		})
	}
}

func TestLongDescriptionsAreCut(t *testing.T) {
	h := newHostile(t, says(400, `{"error":"invalid_grant","error_description":"`+strings.Repeat("é", 9000)+`"}`))
	_, err := refresh(t.Context(), h.config(t, "", ""))
	if e := tokenError(t, err, flows.Permanent, "invalid_grant"); e.Description != strings.Repeat("é", 150)+"…" {
		t.Errorf("%q", e.Description)
	}
}

// Nothing was sent if nobody listens, or if the one who does has the wrong name.
func TestNothingWasSent(t *testing.T) {
	h := newHostile(t, says(200, goodToken))
	c := h.config(t, "", "")
	h.Close()
	_, err := refresh(t.Context(), c)
	if e := tokenError(t, err, flows.Transient, ""); e.Status != 0 || !strings.Contains(e.Error(), "cannot be reached") {
		t.Error(e)
	}

	other := newTLSServer(t)
	c = h.config(t, `"token_url":"{base_url}/token"`, "")
	c.Values = map[string]secret.String{"base_url": secret.New(other.URL)}
	_, err = refresh(t.Context(), c)
	if e := tokenError(t, err, flows.Transient, ""); !strings.Contains(e.Error(), "certificate") {
		t.Error(e)
	}
}

// A slow answer ends with the caller's patience, and what was sent may be used up.
func TestSlowAnswer(t *testing.T) {
	begun := make(chan struct{}, 1)
	h := newHostile(t, slow(begun))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := refresh(ctx, h.config(t, "", ""))
	tokenError(t, err, flows.Ambiguous, "")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The answer to a refresh is lost after the server has rotated: a second use
// would end the family, so there is none of ours.
func TestLostAnswerIsNotAskedForAgain(t *testing.T) {
	f := &rotating{current: "the-refresh", lose: true}
	h := newHostile(t, f.step)
	c := h.config(t, "", "")
	_, err := refresh(t.Context(), c)
	tokenError(t, err, flows.Ambiguous, "")
	if issued, dead := f.state(); dead || issued != 1 || len(h.requests()) != 1 {
		t.Fatalf("dead %t, issued %d, %d requests", dead, issued, len(h.requests()))
	}
	// The holder of the token decides on the one more try.
	_, err = refresh(t.Context(), c)
	e := tokenError(t, err, flows.Permanent, "invalid_grant")
	if e.Description != "used: "+secret.Redacted {
		t.Errorf("description %q", e.Description)
	}
}

func TestRotation(t *testing.T) {
	f := &rotating{current: "the-refresh"}
	h := newHostile(t, f.step)
	c := h.config(t, "", "")
	token := secret.New("the-refresh")
	for i := range 3 {
		next, err := c.Refresh(t.Context(), token, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("rotated-refresh-%d", i+1); next.RefreshToken.Reveal() != want || !next.ExpiresAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("%q, %v", next.RefreshToken.Reveal(), next.ExpiresAt)
		}
		token = next.RefreshToken
	}
}
