package flows_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

func TestDeviceAuthorize(t *testing.T) {
	const answer = `{"device_code":"device-secret","user_code":"WDJB-MJHT","verification_uri":"https://acme.example/device"`
	for _, test := range []struct {
		name     string
		oauth    string
		client   flows.Client
		answer   string
		want     flows.DeviceAuthorization
		header   string
		body     string
		fails    bool
		complete string
	}{
		{name: "a client with a secret authenticates", oauth: `"token_auth":"basic","scopes":["a","b"],"device_params":{"x":"1"}`, answer: answer + `,"expires_in":900,"interval":7}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(15 * time.Minute), Interval: 7 * time.Second}, header: "Basic aWQ6aHVzaC1zZWNyZXQ=", body: "scope=a b\nx=1"},
		{name: "a public client", oauth: `"token_auth":"none"`, answer: answer + `,"expires_in":60}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id"},
		{name: "resource", oauth: `"token_auth":"none","resource":"https://acme.example/"`, answer: answer + `,"expires_in":60}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nresource=https://acme.example/"},
		{name: "interval is null, expires_in is a string", answer: answer + `,"expires_in":"60","interval":null}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "no expires_in, and an interval that is too long", answer: answer + `,"interval":1e9}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(15 * time.Minute), Interval: 2 * time.Minute}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "interval of half a second", answer: answer + `,"expires_in":60.0,"interval":0.5}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: time.Second / 2}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "Google's verification_url", answer: `{"device_code":"device-secret","user_code":"WDJB-MJHT","verification_url":"https://acme.example/device","expires_in":60}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "verification_uri_complete", answer: answer + `,"expires_in":60,"verification_uri_complete":"https://acme.example/device?user_code=WDJB-MJHT"}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nclient_secret=hush-secret",
			complete: "https://acme.example/device?user_code=WDJB-MJHT"},
		{name: "verification_uri is not https", answer: strings.Replace(answer, "https:", "file:", 1) + "}", fails: true},
		{name: "verification_uri_complete starts a program", answer: answer + `,"verification_uri_complete":"ms-settings:x"}`, fails: true},
		{name: "no user code", answer: `{"device_code":"device-secret","verification_uri":"https://acme.example/device"}`, fails: true},
		{name: "no device code", answer: `{"user_code":"x","verification_uri":"https://acme.example/device"}`, fails: true},
		{name: "no verification_uri", answer: `{"user_code":"x","device_code":"device-secret"}`, fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, respond(200, test.answer))
			oauth := `"device_authorization_url":"AT/device"`
			if test.oauth != "" {
				oauth += "," + test.oauth
			}
			d, err := h.config(t, oauth, "").DeviceAuthorize(t.Context(), nil)
			if test.fails {
				wantTokenError(t, err, flows.Protocol, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.DeviceCode.Reveal() != "device-secret" || d.UserCode != "WDJB-MJHT" || d.VerificationURI != "https://acme.example/device" || d.VerificationURIComplete != test.complete {
				t.Errorf("%+v", d)
			}
			if !d.ExpiresAt.Equal(test.want.ExpiresAt) || d.Interval != test.want.Interval {
				t.Errorf("expires %v, interval %v", d.ExpiresAt, d.Interval)
			}
			got := h.requests()[0]
			if got.path != "/device" || got.body != test.body || got.header.Get("Authorization") != test.header {
				t.Errorf("%s, %s\n%s\nwant %s\n%s", got.path, got.header.Get("Authorization"), got.body, test.header, test.body)
			}
		})
	}
}

func TestDeviceUserCodeIsPrintable(t *testing.T) {
	h := newFakeServer(t, respond(200, `{"device_code":"d","user_code":"A\u001b[2J`+strings.Repeat("x", 99)+`","verification_uri":"https://acme.example/device"}`))
	d, err := h.config(t, `"device_authorization_url":"AT/device"`, "").DeviceAuthorize(t.Context(), nil)
	if err != nil || d.UserCode != "A[2J"+strings.Repeat("x", 60)+"…" {
		t.Errorf("%q, %v", d.UserCode, err)
	}
}

// serveWithoutNetwork serves a request for a transport, so that the server works with
// synctest.
func (h *fakeServer) serveWithoutNetwork(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.serve(w, r)
	return w.Result(), r.Context().Err()
}

// timesOut reads the request and does not answer.
func timesOut(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	return nil, context.DeadlineExceeded
}

var (
	pending  = respond(400, `{"error":"authorization_pending"}`)
	slowDown = respond(400, `{"error":"slow_down"}`)
	granted  = respond(200, goodToken)
)

// devicePolls are the answers to polls and what DevicePoll makes of them.
var devicePolls = []struct {
	name    string
	answers []handler // nil means a time-out
	at      []time.Duration
	kind    flows.Kind // 0 means a token
	code    string
	ends    time.Duration // of an error
}{
	{name: "pending, then granted", answers: []handler{pending, pending, granted}, at: []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}},
	{name: "slow_down applies to all later polls", answers: []handler{slowDown, pending, granted}, at: []time.Duration{5 * time.Second, 15 * time.Second, 25 * time.Second}},
	{name: "slow_down twice", answers: []handler{slowDown, slowDown, granted}, at: []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second}},
	{name: "slow_down with a new interval and status 200", answers: []handler{respond(200, `{"error":"slow_down","interval":30}`), granted}, at: []time.Duration{5 * time.Second, 35 * time.Second}},
	{name: "slow_down with a shorter interval", answers: []handler{respond(200, `{"error":"slow_down","interval":1}`), granted}, at: []time.Duration{5 * time.Second, 15 * time.Second}},
	{name: "pending with status 200", answers: []handler{respond(200, `{"error":"authorization_pending"}`), granted}, at: []time.Duration{5 * time.Second, 10 * time.Second}},
	{name: "time-outs double the wait until an answer comes", answers: []handler{nil, nil, pending, granted}, at: []time.Duration{5 * time.Second, 15 * time.Second, 35 * time.Second, 40 * time.Second}},
	{name: "endpoint unavailable", answers: []handler{respond(503, ""), granted}, at: []time.Duration{5 * time.Second, 15 * time.Second}},
	{name: "endpoint unavailable with Retry-After", answers: []handler{withHeader("Retry-After", "40", respond(429, "")), granted}, at: []time.Duration{5 * time.Second, 45 * time.Second}},
	{name: "denied", answers: []handler{pending, respond(400, `{"error":"access_denied"}`)}, at: []time.Duration{5 * time.Second, 10 * time.Second}, kind: flows.Permanent, code: "access_denied", ends: 10 * time.Second},
	{name: "expired_token from the server", answers: []handler{respond(400, `{"error":"expired_token"}`)}, at: []time.Duration{5 * time.Second}, kind: flows.Permanent, code: "expired_token", ends: 5 * time.Second},
	{name: "another error", answers: []handler{respond(400, `{"error":"invalid_request"}`)}, at: []time.Duration{5 * time.Second}, kind: flows.Permanent, code: "invalid_request", ends: 5 * time.Second},
	{name: "not JSON", answers: []handler{respond(200, "<html>")}, at: []time.Duration{5 * time.Second}, kind: flows.Protocol, ends: 5 * time.Second},
	{name: "the code expires during a wait", answers: []handler{respond(400, `{"error":"slow_down","interval":50}`)}, at: []time.Duration{5 * time.Second, 55 * time.Second}, kind: flows.Permanent, code: "expired_token", ends: time.Minute},
}

func TestDevicePoll(t *testing.T) {
	for _, test := range devicePolls {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeServer{Server: &httptest.Server{URL: "https://acme.example"}}
				start := time.Now()
				var at []time.Duration
				c := h.config(t, "", "")
				c.Now = nil
				c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					at = append(at, time.Since(start))
					next := test.answers[0]
					if len(test.answers) > 1 {
						test.answers = test.answers[1:]
					}
					if next == nil {
						return timesOut(r)
					}
					h.handlers = []handler{next}
					return h.serveWithoutNetwork(r)
				})}
				d := flows.DeviceAuthorization{DeviceCode: secret.New("device-secret"), ExpiresAt: start.Add(time.Minute), Interval: 5 * time.Second}
				token, err := c.DevicePoll(t.Context(), d)
				if !slices.Equal(at, test.at) {
					t.Errorf("polls at %v, want %v", at, test.at)
				}
				for _, r := range h.requests() {
					if r.body != "client_id=id\nclient_secret=hush-secret\ndevice_code=device-secret\ngrant_type=urn:ietf:params:oauth:grant-type:device_code" {
						t.Errorf("body %s", r.body)
					}
				}
				if test.kind == 0 {
					if err != nil || token.AccessToken.Reveal() != "a" {
						t.Errorf("token %q, %v", token.AccessToken.Reveal(), err)
					}
					return
				}
				wantTokenError(t, err, test.kind, test.code)
				if got := time.Since(start); got != test.ends {
					t.Errorf("ended after %v, want %v", got, test.ends)
				}
			})
		})
	}
}

func TestCancelledDevicePollEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeServer{Server: &httptest.Server{URL: "https://acme.example"}}
		c := h.config(t, "", "")
		c.Now = nil
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(time.Second, cancel)
		_, err := c.DevicePoll(ctx, flows.DeviceAuthorization{DeviceCode: secret.New("device-secret"), ExpiresAt: start.Add(time.Hour), Interval: time.Minute})
		if !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		noSecrets(t, err)
	})
}

func TestNoDeviceEndpoint(t *testing.T) {
	_, err := newFakeServer(t, respond(500, "")).config(t, "", "").DeviceAuthorize(t.Context(), nil)
	wantError(t, err, flows.ErrUnsupported)
}
