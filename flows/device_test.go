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

// The numbers are those of the list of mistakes of the Python authsome.
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
		{name: "39: a client with a secret authenticates", oauth: `"token_auth":"basic","scopes":["a","b"],"device_params":{"x":"1"}`, answer: answer + `,"expires_in":900,"interval":7}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(15 * time.Minute), Interval: 7 * time.Second}, header: "Basic aWQ6aHVzaC1zZWNyZXQ=", body: "scope=a b\nx=1"},
		{name: "a public client", oauth: `"token_auth":"none"`, answer: answer + `,"expires_in":60}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id"},
		{name: "resource", oauth: `"token_auth":"none","resource":"https://acme.example/"`, answer: answer + `,"expires_in":60}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nresource=https://acme.example/"},
		{name: "40: interval null, expiry as text", answer: answer + `,"expires_in":"60","interval":null}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "no expiry, and an interval that nobody waits for", answer: answer + `,"interval":1e9}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(15 * time.Minute), Interval: 2 * time.Minute}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "interval of a half", answer: answer + `,"expires_in":60.0,"interval":0.5}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: time.Second / 2}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "Google's spelling", answer: `{"device_code":"device-secret","user_code":"WDJB-MJHT","verification_url":"https://acme.example/device","expires_in":60}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nclient_secret=hush-secret"},
		{name: "complete address", answer: answer + `,"expires_in":60,"verification_uri_complete":"https://acme.example/device?user_code=WDJB-MJHT"}`,
			want: flows.DeviceAuthorization{ExpiresAt: noon.Add(time.Minute), Interval: 5 * time.Second}, body: "client_id=id\nclient_secret=hush-secret",
			complete: "https://acme.example/device?user_code=WDJB-MJHT"},
		{name: "an address that is no page", answer: strings.Replace(answer, "https:", "file:", 1) + "}", fails: true},
		{name: "an address that runs a program", answer: answer + `,"verification_uri_complete":"ms-settings:x"}`, fails: true},
		{name: "no code for the user", answer: `{"device_code":"device-secret","verification_uri":"https://acme.example/device"}`, fails: true},
		{name: "no code for the device", answer: `{"user_code":"x","verification_uri":"https://acme.example/device"}`, fails: true},
		{name: "no address", answer: `{"user_code":"x","device_code":"device-secret"}`, fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHostile(t, says(200, test.answer))
			oauth := `"device_authorization_url":"AT/device"`
			if test.oauth != "" {
				oauth += "," + test.oauth
			}
			d, err := h.config(t, oauth, "").DeviceAuthorize(t.Context(), nil)
			if test.fails {
				tokenError(t, err, flows.Protocol, "")
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

func TestDeviceUserCodeIsFitToShow(t *testing.T) {
	h := newHostile(t, says(200, `{"device_code":"d","user_code":"A\u001b[2J`+strings.Repeat("x", 99)+`","verification_uri":"https://acme.example/device"}`))
	d, err := h.config(t, `"device_authorization_url":"AT/device"`, "").DeviceAuthorize(t.Context(), nil)
	if err != nil || d.UserCode != "A[2J"+strings.Repeat("x", 60)+"…" {
		t.Errorf("%q, %v", d.UserCode, err)
	}
}

// inBubble serves without a network, so that time can pass by itself.
func (h *hostile) inBubble(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.serve(w, r)
	return w.Result(), r.Context().Err()
}

// timesOut takes the request, and gives no answer.
func timesOut(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	return nil, context.DeadlineExceeded
}

// The numbers are those of the list of mistakes of the Python authsome.
func TestDevicePoll(t *testing.T) {
	pending := says(400, `{"error":"authorization_pending"}`)
	slowDown := says(400, `{"error":"slow_down"}`)
	granted := says(200, goodToken)
	second := time.Second
	for _, test := range []struct {
		name  string
		steps []step // nil: no answer
		at    []time.Duration
		kind  flows.Kind // 0: a token
		code  string
		ends  time.Duration
	}{
		{name: "pending, then granted", steps: []step{pending, pending, granted}, at: []time.Duration{5 * second, 10 * second, 15 * second}},
		{name: "slow_down, for this and all later polls", steps: []step{slowDown, pending, granted}, at: []time.Duration{5 * second, 15 * second, 25 * second}},
		{name: "slow_down twice", steps: []step{slowDown, slowDown, granted}, at: []time.Duration{5 * second, 15 * second, 30 * second}},
		{name: "40: slow_down with the new interval, status 200", steps: []step{says(200, `{"error":"slow_down","interval":30}`), granted}, at: []time.Duration{5 * second, 35 * second}},
		{name: "slow_down with an interval that is none", steps: []step{says(200, `{"error":"slow_down","interval":1}`), granted}, at: []time.Duration{5 * second, 15 * second}},
		{name: "pending with status 200", steps: []step{says(200, `{"error":"authorization_pending"}`), granted}, at: []time.Duration{5 * second, 10 * second}},
		{name: "40: time-outs double, and an answer ends that", steps: []step{nil, nil, pending, granted}, at: []time.Duration{5 * second, 15 * second, 35 * second, 40 * second}},
		{name: "40: an endpoint that is down", steps: []step{says(503, ""), granted}, at: []time.Duration{5 * second, 15 * second}},
		{name: "40: an endpoint that says when", steps: []step{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "40")
			says(429, "")(w, r)
		}, granted}, at: []time.Duration{5 * second, 45 * second}},
		{name: "denied", steps: []step{pending, says(400, `{"error":"access_denied"}`)}, at: []time.Duration{5 * second, 10 * second}, kind: flows.Permanent, code: "access_denied", ends: 10 * second},
		{name: "expired, says the server", steps: []step{says(400, `{"error":"expired_token"}`)}, at: []time.Duration{5 * second}, kind: flows.Permanent, code: "expired_token", ends: 5 * second},
		{name: "another error", steps: []step{says(400, `{"error":"invalid_request"}`)}, at: []time.Duration{5 * second}, kind: flows.Permanent, code: "invalid_request", ends: 5 * second},
		{name: "nonsense", steps: []step{says(200, "<html>")}, at: []time.Duration{5 * second}, kind: flows.Protocol, ends: 5 * second},
		{name: "41: no wait beyond the end", steps: []step{says(400, `{"error":"slow_down","interval":50}`)}, at: []time.Duration{5 * second, 55 * second}, kind: flows.Permanent, code: "expired_token", ends: time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hostile{Server: &httptest.Server{URL: "https://acme.example"}}
				start := time.Now()
				var at []time.Duration
				c := h.config(t, "", "")
				c.Now = nil
				c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					at = append(at, time.Since(start))
					next := test.steps[0]
					if len(test.steps) > 1 {
						test.steps = test.steps[1:]
					}
					if next == nil {
						return timesOut(r)
					}
					h.steps = []step{next}
					return h.inBubble(r)
				})}
				d := flows.DeviceAuthorization{DeviceCode: secret.New("device-secret"), ExpiresAt: start.Add(time.Minute), Interval: 5 * second}
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
				tokenError(t, err, test.kind, test.code)
				if got := time.Since(start); got != test.ends {
					t.Errorf("ended after %v, want %v", got, test.ends)
				}
			})
		})
	}
}

// Mistake 41: Ctrl-C waited.
func TestDevicePollEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hostile{Server: &httptest.Server{URL: "https://acme.example"}}
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
	_, err := newHostile(t, says(500, "")).config(t, "", "").DeviceAuthorize(t.Context(), nil)
	wantError(t, err, flows.ErrUnsupported)
}
