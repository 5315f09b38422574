package flows_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// slackResponse is the response object of Slack's definition.
const slackResponse = `"response":{"access_token":["authed_user.access_token","access_token"],"refresh_token":["authed_user.refresh_token","refresh_token"],
		"expires_in":["authed_user.expires_in","expires_in"],"scope":["authed_user.scope","scope"],"token_type":["authed_user.token_type","token_type"],
		"account_id":["team.id"],"account_label":["team.name"],"error_when":{"ok":false}},"scope_separator":","`

// after returns a time after the tests' clock.
func after(d time.Duration) time.Time { return noon.Add(d) }

// tokenAnswers are answers to a refresh and the tokens that they contain.
var tokenAnswers = []struct {
	name           string
	oauth          string // of the definition
	answer         handler
	refresh        string
	kind           string
	expires        time.Time
	refreshExpires time.Time
	scopes         []string
	account        flows.Account
}{
	{name: "only a token", answer: respond(200, `{"access_token":"the-access"}`)},
	{name: "all of RFC 6749", answer: respond(200, `{"access_token":"the-access","token_type":"bearer","expires_in":3600,"refresh_token":"r","scope":"a b"}`),
		kind: "bearer", refresh: "r", expires: after(time.Hour), scopes: []string{"a", "b"}},
	{name: "token_type in upper case", answer: respond(200, `{"access_token":"the-access","token_type":"BEARER"}`), kind: "BEARER"},
	{name: "expires_in as a float", answer: respond(200, `{"access_token":"the-access","expires_in":3600.0}`), expires: after(time.Hour)},
	{name: "expires_in with a fraction", answer: respond(200, `{"access_token":"the-access","expires_in":0.5}`), expires: after(time.Second / 2)},
	{name: "expires_in as a string", answer: respond(200, `{"access_token":"the-access","expires_in":"3600"}`), expires: after(time.Hour)},
	{name: "expires_in with an exponent", answer: respond(200, `{"access_token":"the-access","expires_in":3.6e3}`), expires: after(time.Hour)},
	{name: "expires_in is null", answer: respond(200, `{"access_token":"the-access","expires_in":null}`)},
	{name: "expires_in is not a number", answer: respond(200, `{"access_token":"the-access","expires_in":"soon"}`)},
	{name: "expires_in of zero", answer: respond(200, `{"access_token":"the-access","expires_in":0}`), expires: noon},
	{name: "expires_in of zero, as a string", answer: respond(200, `{"access_token":"the-access","expires_in":"0"}`), expires: noon},
	{name: "negative expires_in", answer: respond(200, `{"access_token":"the-access","expires_in":-1}`), expires: noon},
	{name: "negative expires_in, as a string", answer: respond(200, `{"access_token":"the-access","expires_in":" -3600.5 "}`), expires: noon},
	{name: "expires_in of zero overrides the definition's lifetime and expires_at", oauth: `"lifetime":"2h","response":{"expires_at":["expires_at"]}`,
		answer: respond(200, `{"access_token":"the-access","expires_in":0,"expires_at":1795525200}`), expires: noon},
	{name: "a definition that reads no expires_in", oauth: `"response":{"expires_in":[]}`, answer: respond(200, `{"access_token":"the-access","expires_in":0}`)},
	{name: "refresh_expires_in of zero means unknown", answer: respond(200, `{"access_token":"the-access","refresh_token":"r","refresh_expires_in":0}`), refresh: "r"},
	{name: "expires_in is too large", answer: respond(200, `{"access_token":"the-access","expires_in":1e300}`), expires: after(100 * 365 * 24 * time.Hour)},
	{name: "the definition's lifetime", oauth: `"lifetime":"2h"`, answer: respond(200, `{"access_token":"the-access"}`), expires: after(2 * time.Hour)},
	{name: "expires_in overrides the definition's lifetime", oauth: `"lifetime":"2h"`, answer: respond(200, `{"access_token":"the-access","expires_in":60}`), expires: after(time.Minute)},
	{name: "expires_at in RFC 3339", oauth: `"response":{"expires_at":["expires_at"]}`, answer: respond(200, `{"access_token":"the-access","expires_at":"2026-11-24T13:00:00+00:00"}`), expires: after(time.Hour)},
	{name: "expires_at in seconds since 1970", oauth: `"response":{"expires_at":["expires_at"]}`, answer: respond(200, `{"access_token":"the-access","expires_at":1795525200}`), expires: after(time.Hour)},
	{name: "expires_at in milliseconds since 1970, as a string", oauth: `"response":{"expires_at":["expires_at"]}`,
		answer: respond(200, `{"access_token":"the-access","expires_at":"1795525200000"}`), expires: after(time.Hour)},
	{name: "expires_in overrides expires_at", oauth: `"response":{"expires_at":["expires_at"]}`,
		answer: respond(200, `{"access_token":"the-access","expires_at":1,"expires_in":60}`), expires: after(time.Minute)},
	{name: "expires_at is ignored if the definition does not name it", answer: respond(200, `{"access_token":"the-access","expires_at":1795525200}`)},
	{name: "expiry of the refresh token", answer: respond(200, `{"access_token":"the-access","refresh_token":"r","refresh_token_expires_in":60}`), refresh: "r", refreshExpires: after(time.Minute)},
	{name: "expiry of the refresh token at the definition's path", oauth: `"response":{"refresh_expires_in":["x_refresh_token_expires_in"]}`,
		answer: respond(200, `{"access_token":"the-access","refresh_token":"r","x_refresh_token_expires_in":"60"}`), refresh: "r", refreshExpires: after(time.Minute)},
	{name: "scopes with commas instead of spaces", answer: respond(200, `{"access_token":"the-access","scope":"repo,gist"}`), scopes: []string{"repo", "gist"}},
	{name: "scopes as a list", answer: respond(200, `{"access_token":"the-access","scope":["a","b c"]}`), scopes: []string{"a", "b", "c"}},
	{name: "scopes with the definition's separator", oauth: `"scope_separator":"|"`, answer: respond(200, `{"access_token":"the-access","scope":"a|b"}`), scopes: []string{"a", "b"}},
	{name: "nested members", oauth: slackResponse,
		answer: respond(200, `{"ok":true,"authed_user":{"access_token":"the-access","refresh_token":"r","scope":"a,b","token_type":"user","expires_in":43200},"team":{"id":"T1","name":"Team"}}`),
		kind:   "user", refresh: "r", expires: after(12 * time.Hour), scopes: []string{"a", "b"}, account: flows.Account{ID: "T1", Label: "Team"}},
	{name: "two tokens, each with its own members", oauth: slackResponse,
		answer: respond(200, `{"ok":true,"access_token":"bot","refresh_token":"bot-r","expires_in":1,"token_type":"bot","scope":"bot","authed_user":{"access_token":"the-access","scope":"a"}}`),
		scopes: []string{"a"}},
	{name: "the second of two paths", oauth: slackResponse, answer: respond(200, `{"ok":true,"access_token":"the-access","refresh_token":"r"}`), refresh: "r"},
	{name: "usual members in the same object as a nested token", oauth: `"response":{"access_token":["data.access_token"]}`,
		answer: respond(200, `{"data":{"access_token":"the-access","expires_in":60,"refresh_token":"r"},"expires_in":9}`), refresh: "r", expires: after(time.Minute)},
	{name: "usual members above a nested token", oauth: `"response":{"access_token":["data.token"]}`,
		answer: respond(200, `{"data":{"token":"the-access"},"expires_in":60}`), expires: after(time.Minute)},
	{name: "unknown token type with an injection in the definition", oauth: `"x_inject":true`, answer: respond(200, `{"access_token":"the-access","token_type":"api"}`), kind: "api"},
	{name: "status 201", answer: respond(201, `{"access_token":"the-access"}`)},
	{name: "account as a number", oauth: `"response":{"account_id":["user.id"],"account_label":["none","user.name"]}`,
		answer:  respond(200, `{"access_token":"the-access","user":{"id":90071992547409931,"name":"x\u0000\u202ey\n"}}`),
		account: flows.Account{ID: "90071992547409931", Label: "xy "}},
	{name: "a form", answer: respondAs("application/x-www-form-urlencoded; charset=utf-8", 200, "access_token=the-access&scope=repo&expires_in=60&token_type=bearer"),
		kind: "bearer", scopes: []string{"repo"}, expires: after(time.Minute)},
	{name: "byte order mark", answer: respond(200, "\ufeff"+`{"access_token":"the-access","expires_in":60}`), expires: after(time.Minute)},
	{name: "JSON with a charset", answer: respondAs("application/json;charset=UTF-8", 200, `{"access_token":"the-access"}`)},
	{name: "JSON with another content type", answer: respondAs("text/html", 200, `{"access_token":"the-access"}`)},
	{name: "an empty error", answer: respond(200, `{"access_token":"the-access","error":"","error_description":null}`)},
}

func TestTokenAnswer(t *testing.T) {
	for _, test := range tokenAnswers {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, test.answer)
			more := ""
			if strings.Contains(test.oauth, "x_inject") {
				more = `"inject":[{"in":"header","name":"X-Token","value":"{access_token}"}]`
			}
			token, err := refresh(t.Context(), h.config(t, test.oauth, more))
			if err != nil {
				t.Fatal(err)
			}
			if got := token.AccessToken.Reveal(); got != "the-access" {
				t.Errorf("access token %q", got)
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
			if !token.RefreshExpiresAt.Equal(test.refreshExpires) {
				t.Errorf("refresh token expires %v, want %v", token.RefreshExpiresAt, test.refreshExpires)
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

// withHeader adds a header to an answer.
func withHeader(name, value string, next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		next(w, r)
	}
}

// failsWithoutOK is the response object of a definition whose answers fail with "ok": false.
const failsWithoutOK = `"response":{"error_when":{"ok":false}}`

// errorAnswers are answers to a refresh and the errors that they mean.
var errorAnswers = []struct {
	name        string
	oauth       string // of the definition
	answer      handler
	kind        flows.Kind
	code        string
	status      int
	description string
	retry       time.Duration
}{
	{name: "invalid_grant", answer: respond(400, `{"error":"invalid_grant","error_description":"it is over"}`), kind: flows.Permanent, code: "invalid_grant", status: 400, description: "it is over"},
	{name: "invalid_client", answer: respond(401, `{"error":"invalid_client"}`), kind: flows.Permanent, code: "invalid_client", status: 401},
	{name: "unknown error code", answer: respond(400, `{"error":"weird"}`), kind: flows.Permanent, code: "weird", status: 400},
	{name: "GitHub, with status 200", answer: respond(200, `{"error":"bad_refresh_token","error_description":"x"}`), kind: flows.Permanent, code: "bad_refresh_token", status: 200, description: "x"},
	{name: "GitHub, as a form", answer: respondAs("application/x-www-form-urlencoded", 200, "error=bad_refresh_token&error_description=x"), kind: flows.Permanent, code: "bad_refresh_token", status: 200, description: "x"},
	{name: "Slack, with status 200", oauth: failsWithoutOK, answer: respond(200, `{"ok":false,"error":"invalid_refresh_token"}`), kind: flows.Permanent, code: "invalid_refresh_token", status: 200},
	{name: "Slack, without a code", oauth: failsWithoutOK, answer: respond(200, `{"ok":false}`), kind: flows.Protocol, status: 200},
	{name: "Slack, too many requests", oauth: failsWithoutOK, answer: withHeader("Retry-After", "30", respond(200, `{"ok":false,"error":"ratelimited"}`)), kind: flows.Transient, code: "ratelimited", status: 200, retry: 30 * time.Second},
	{name: "an error and a token", answer: respond(200, `{"error":"invalid_grant","access_token":"the-access"}`), kind: flows.Permanent, code: "invalid_grant", status: 200},
	{name: "error as an object", answer: respond(400, `{"error":{"code":"invalid_grant","message":"it is over"}}`), kind: flows.Permanent, code: "invalid_grant", status: 400, description: "it is over"},
	{name: "error as a number", answer: respond(400, `{"message":"Bad Request","error":400}`), kind: flows.Permanent, status: 400, description: "Bad Request"},
	{name: "the body overrides the status", answer: respond(503, `{"error":"invalid_grant"}`), kind: flows.Permanent, code: "invalid_grant", status: 503},
	{name: "a code that is not permanent with a transient status", answer: respond(503, `{"error":"invalid_request"}`), kind: flows.Transient, code: "invalid_request", status: 503},
	{name: "unavailable", answer: withHeader("Retry-After", "120", respond(503, `{}`)), kind: flows.Transient, status: 503, retry: 2 * time.Minute},
	{name: "unavailable until a date", answer: withHeader("Retry-After", "Tue, 24 Nov 2026 12:01:00 GMT", respond(503, ``)), kind: flows.Transient, status: 503, retry: time.Minute},
	{name: "unavailable for too long", answer: withHeader("Retry-After", "2000000000", respond(503, ``)), kind: flows.Transient, status: 503, retry: 24 * time.Hour},
	{name: "negative Retry-After", answer: withHeader("Retry-After", "-5", respond(503, ``)), kind: flows.Transient, status: 503},
	{name: "temporarily_unavailable", answer: respond(400, `{"error":"temporarily_unavailable"}`), kind: flows.Transient, code: "temporarily_unavailable", status: 400},
	{name: "too many requests", answer: respond(429, `slow down`), kind: flows.Transient, status: 429},
	{name: "time-out", answer: respond(408, ``), kind: flows.Transient, status: 408},
	{name: "a firewall's page", answer: respondAs("text/html", 403, `<h1>no</h1>`), kind: flows.Protocol, status: 403},
	{name: "a captive portal's page", answer: respondAs("text/html", 200, `<h1>pay</h1>`), kind: flows.Protocol, status: 200},
	{name: "not found", answer: respond(404, `{}`), kind: flows.Protocol, status: 404},
	{name: "no token", answer: respond(200, `{"expires_in":3600}`), kind: flows.Protocol, status: 200},
	{name: "an empty token", answer: respond(200, `{"access_token":""}`), kind: flows.Protocol, status: 200},
	{name: "a token that is not a string", answer: respond(200, `{"access_token":{"value":"the-access"}}`), kind: flows.Protocol, status: 200},
	{name: "a token that is not a valid header value", answer: respond(200, `{"access_token":"the-access\r\nX-Evil: 1"}`), kind: flows.Protocol, status: 200},
	{name: "unknown token type", answer: respond(200, `{"access_token":"the-access","token_type":"dance"}`), kind: flows.Protocol, status: 200},
	{name: "a token type that needs a key", oauth: `"x_inject":true`, answer: respond(200, `{"access_token":"the-access","token_type":"DPoP"}`), kind: flows.Protocol, status: 200},
	{name: "a list", answer: respond(200, `["the-access"]`), kind: flows.Protocol, status: 200},
	{name: "two documents", answer: respond(200, `{"access_token":"the-access"}{}`), kind: flows.Protocol, status: 200},
	{name: "body is null", answer: respond(200, `null`), kind: flows.Protocol, status: 200},
	{name: "empty body", answer: respond(200, ``), kind: flows.Protocol, status: 200},
	{name: "a redirect", answer: redirectTo(307, "/elsewhere"), kind: flows.Protocol, status: 307},
	{name: "too large", answer: respondHuge, kind: flows.Protocol, status: 200},
	{name: "connection closed before the answer", answer: hangUp, kind: flows.Ambiguous},
	{name: "connection closed in the answer", answer: hangUpMidAnswer, kind: flows.Ambiguous},
	{name: "not HTTP", answer: respondRaw("the-refresh the-access\r\n\r\n"), kind: flows.Ambiguous},
	{name: "not HTTP after the status line", answer: respondRaw("HTTP/1.1 200 OK\r\nthe-refresh the-access\r\n\r\n"), kind: flows.Ambiguous},
	{name: "the answer repeats secrets", oauth: `"token_auth":"basic"`, answer: respond(400, `{"error":"the-refresh","error_description":"no the-refresh of hush-secret"}`),
		kind: flows.Permanent, status: 400, description: "no ***REDACTED*** of ***REDACTED***"},
	{name: "description with control characters", answer: respond(400, `{"error":"invalid_grant","error_description":"a\u001b[31mb\nc\u202e"}`), kind: flows.Permanent, code: "invalid_grant", status: 400, description: "a[31mb c"},
	{name: "error code is too long", answer: respond(400, `{"error":"`+strings.Repeat("x", 65)+`"}`), kind: flows.Permanent, status: 400},
	{name: "error code is a text", answer: respond(400, `{"error":"you may not, <b>"}`), kind: flows.Permanent, status: 400},
}

func TestTokenErrors(t *testing.T) {
	for _, test := range errorAnswers {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, test.answer)
			more := ""
			if strings.Contains(test.oauth, "x_inject") {
				more = `"inject":[{"in":"header","name":"X-Token","value":"{access_token}"}]`
			}
			token, err := refresh(t.Context(), h.config(t, test.oauth, more))
			if !reflect.DeepEqual(token, flows.Token{}) {
				t.Error("an error with a token")
			}
			e := wantTokenError(t, err, test.kind, test.code)
			if e.Status != test.status || e.Description != test.description || e.RetryAfter != test.retry {
				t.Errorf("status %d, description %q, retry after %v", e.Status, e.Description, e.RetryAfter)
			}
			if e.Description != "" && strings.Contains(e.Error(), e.Description) {
				t.Errorf("the error's text contains the server's description: %v", e)
			}
			if n := len(h.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestLongDescriptionIsCut(t *testing.T) {
	h := newFakeServer(t, respond(400, `{"error":"invalid_grant","error_description":"`+strings.Repeat("é", 9000)+`"}`))
	_, err := refresh(t.Context(), h.config(t, "", ""))
	if e := wantTokenError(t, err, flows.Permanent, "invalid_grant"); e.Description != strings.Repeat("é", 150)+"…" {
		t.Errorf("%q", e.Description)
	}
}

// If the connection or the TLS handshake fails, nothing was sent.
func TestFailedConnectionIsTransient(t *testing.T) {
	h := newFakeServer(t, respond(200, goodToken))
	c := h.config(t, "", "")
	h.Close()
	_, err := refresh(t.Context(), c)
	if e := wantTokenError(t, err, flows.Transient, ""); e.Status != 0 || !strings.Contains(e.Error(), "cannot be reached") {
		t.Error(e)
	}

	other := newTLSServer(t)
	c = h.config(t, `"token_url":"{base_url}/token"`, "")
	c.Values = map[string]secret.String{"base_url": secret.New(other.URL)}
	_, err = refresh(t.Context(), c)
	if e := wantTokenError(t, err, flows.Transient, ""); !strings.Contains(e.Error(), "certificate") {
		t.Error(e)
	}
}

// If the caller cancels during an answer, the refresh token may be used up.
func TestCancelledAnswerIsAmbiguous(t *testing.T) {
	begun := make(chan struct{}, 1)
	h := newFakeServer(t, respondForever(begun))
	ctx, cancel := context.WithCancel(t.Context())
	var cancelling sync.WaitGroup
	cancelling.Go(func() {
		<-begun
		cancel()
	})
	_, err := refresh(ctx, h.config(t, "", ""))
	cancelling.Wait()
	wantTokenError(t, err, flows.Ambiguous, "")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// If the answer to a refresh is lost, the request is not repeated, because the second use
// of a refresh token makes the server revoke all of them.
func TestRefreshIsNotRepeated(t *testing.T) {
	f := &rotating{current: "the-refresh", lose: true}
	h := newFakeServer(t, f.serve)
	c := h.config(t, "", "")
	_, err := refresh(t.Context(), c)
	wantTokenError(t, err, flows.Ambiguous, "")
	if issued, dead := f.state(); dead || issued != 1 || len(h.requests()) != 1 {
		t.Fatalf("dead %t, issued %d, %d requests", dead, issued, len(h.requests()))
	}
	// Only the caller may try again.
	_, err = refresh(t.Context(), c)
	e := wantTokenError(t, err, flows.Permanent, "invalid_grant")
	if e.Description != "used: "+secret.Redacted {
		t.Errorf("description %q", e.Description)
	}
}

func TestRotation(t *testing.T) {
	f := &rotating{current: "the-refresh"}
	h := newFakeServer(t, f.serve)
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
