package intercept

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

func TestUpstreamFailures(t *testing.T) {
	t.Run("certificate", func(t *testing.T) {
		r := newRig(t, nil)
		second := newRig(t, func(s *rig) { s.ConnectTo, s.UpstreamRoots = r.ConnectTo, pool(t, r.authority) }) // not the upstream's
		response, body := get(t, second.client(), "https://"+routedHost+"/")
		if response.StatusCode != 502 || response.Header.Get(errorHeader) != string(CodeUpstreamTLS) {
			t.Errorf("got %d %q", response.StatusCode, body)
		}
		if len(r.requests()) > 0 {
			t.Error("the request was sent")
		}
		// The host is still intercepted: the second try is not passed through.
		if response, _ := get(t, second.client(), "https://"+routedHost+"/"); response.TLS.PeerCertificates[0].Issuer.CommonName != "proxy test authority" || response.StatusCode != 502 {
			t.Errorf("second try: %d by %s", response.StatusCode, response.TLS.PeerCertificates[0].Issuer.CommonName)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		r := newRig(t, func(r *rig) { r.ConnectTo = []ConnectTo{{Target{routedHost, 443}, Target{"127.0.0.1", 1}}} })
		response, body := get(t, r.client(), "https://"+routedHost+"/")
		if response.StatusCode != 502 || response.Header.Get(errorHeader) != string(CodeUpstreamUnreachable) {
			t.Errorf("got %d %q", response.StatusCode, body)
		}
	})
	t.Run("no response head", func(t *testing.T) {
		r := newRig(t, func(r *rig) { r.ResponseTimeout = 50 * time.Millisecond })
		done := make(chan struct{})
		defer close(done)
		r.handle(func(http.ResponseWriter, *http.Request) { <-done })
		for _, c := range []*http.Client{r.client(), r.http1(), r.absolute()} {
			response, body := get(t, c, "https://"+routedHost+"/")
			if response.StatusCode != 504 || response.Header.Get(errorHeader) != string(CodeUpstreamTimeout) {
				t.Errorf("got %d %q", response.StatusCode, body)
			}
		}
	})
}

// Without a credential the request is answered by the proxy and never sent.
func TestRequestWithoutCredentialIsNotSent(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		code   Code
	}{
		{"a refusal", fmt.Errorf("apply: %w", &Refusal{Status: 503, Code: CodeRefreshUnavailable, Message: "later", RetryAfter: 7}), 503, CodeRefreshUnavailable},
		{"anything else", errors.New("the detail sk-detail"), 403, CodeLoginRequired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(r *rig) { r.Credentials = failing{tt.err} })
			response, body := get(t, r.client(), "https://"+routedHost+"/")
			if response.StatusCode != tt.status || response.Header.Get(errorHeader) != string(tt.code) || !strings.Contains(body, `"code":"`+string(tt.code)+`"`) {
				t.Errorf("got %d %v %q", response.StatusCode, response.Header, body)
			}
			if strings.Contains(body, "sk-detail") {
				t.Error("the answer contains the cause")
			}
			if len(r.requests()) > 0 {
				t.Error("the request was sent")
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Apply(context.Context, *http.Request, string, string) (Applied, error) {
	return Applied{}, f.err
}

func (f failing) Renew(context.Context, string, string, uint64) bool { return false }

func TestRoutingRefusals(t *testing.T) {
	d := definition(t, "https://"+routedHost+"/api/")
	tests := []struct {
		name    string
		binding routing.Binding
		target  string
		status  int
		code    Code
		sent    bool
	}{
		{"login required", routing.Binding{Provider: "example", Connection: "work", State: routing.Unusable}, "/api/x", 403, CodeLoginRequired, false},
		{"login required, with the problem", routing.Binding{Provider: "example", Connection: "work", State: routing.Unusable, Problem: "invalid since noon"}, "/api/x", 403, CodeLoginRequired, false},
		{"logged out", routing.Binding{Provider: "example", Connection: "default", State: routing.Gone}, "/api/x", 403, CodeLoginRequired, false},
		{"path outside", ready, "/other", 200, "", true},
		{"ambiguous path", ready, "/api/..%2fother", 400, CodeBadRequest, false},
		{"dot segments", ready, "/api/../other", 400, CodeBadRequest, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			routes := table(t, d, tt.binding, routing.Options{})
			r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
			response, body := exchange(t, r.inside(), "GET "+tt.target+" HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n")
			if response.StatusCode != tt.status || response.Header.Get(errorHeader) != string(tt.code) {
				t.Errorf("got %d %s %q", response.StatusCode, response.Header.Get(errorHeader), body)
			}
			if tt.code == CodeLoginRequired && !strings.Contains(body, tt.binding.Problem) {
				t.Errorf("the problem is missing in %q", body)
			}
			if (len(r.requests()) > 0) != tt.sent {
				t.Errorf("the upstream saw %d requests", len(r.requests()))
			}
			for _, q := range r.requests() {
				if q.Header.Get("Authorization") != "" {
					t.Errorf("a credential went to %s", q.URL)
				}
			}
		})
	}
}

// A request to a service with signed requests is forwarded unsigned if the client
// sent it without a signature: it asks for no credential.
func TestUnsignedRequestIsForwarded(t *testing.T) {
	r := newRig(t, func(r *rig) { r.Credentials = failing{fmt.Errorf("apply: %w", providers.ErrUnsigned)} })
	if response, _ := get(t, r.client(), "https://"+routedHost+"/public"); response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	if x := r.next(); x.Injected || x.Reason != routing.Unsigned {
		t.Errorf("recorded %+v", x)
	}
	if response, _ := get(t, r.client(), "https://"+routedHost+"/public", "Authorization", "AWS4 "+providers.PlaceholderMark); response.StatusCode != 403 {
		t.Errorf("with a placeholder: %d", response.StatusCode)
	}
}

// The answer contains what Fix returns, in JSON for requests and in the text for a
// CONNECT. A refusal with NoFix has none.
func TestFixOfARefusal(t *testing.T) {
	fix := func(r *rig) {
		r.Fix = func(refused *Refusal) (string, string) { return "fix for " + string(refused.Code), "person" }
		r.Credentials = failing{&Refusal{Status: 403, Code: CodeLoginRequired, Provider: "example", Connection: "work", Message: "no credential"}}
	}
	r := newRig(t, fix)
	if _, body := get(t, r.client(), "https://"+routedHost+"/"); body != `{"error":{"code":"login_required","message":"no credential","provider":"example","connection":"work","fix":"fix for login_required","who":"person"}}`+"\n" {
		t.Errorf("request: %s", body)
	}
	if _, body := exchange(t, r.raw(), "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n"); body != "authsome: cannot reach 127.0.0.1:1; fix for upstream_unreachable\n" {
		t.Errorf("CONNECT: %s", body)
	}
	if _, body := exchange(t, r.raw(), "CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n"); body != "authsome: 169.254.169.254:80: the proxy never connects to cloud metadata addresses\n" {
		t.Errorf("CONNECT without a fix: %s", body)
	}
}

// A refusal has the data that its fix needs.
func TestRefusalHasDataForItsFix(t *testing.T) {
	choices := []string{"example=home", "example=work"}
	if r := decisionRefusal(routing.Decision{Reason: routing.RouteAmbiguous, Choices: choices, HasDefault: true}, routedHost); r.Code != CodeRouteAmbiguous || r.Host != routedHost || !r.HasDefault || !slices.Equal(r.Choices, choices) {
		t.Errorf("ambiguous: %+v", r)
	}
	if r := decisionRefusal(routing.Decision{Reason: routing.HTTPSRequired}, routedHost); r.Code != CodeHTTPSRequired || r.Host != routedHost {
		t.Errorf("plain http: %+v", r)
	}
	if r := decisionRefusal(routing.Decision{Reason: routing.HostDenied}, otherHost); r.Code != CodeHostDenied || r.Host != otherHost {
		t.Errorf("denied: %+v", r)
	}
	for private, err := range map[bool]error{
		true:  newGuard(nil, nil, false).check(netip.MustParseAddrPort("10.0.0.1:443"), false),
		false: newGuard(nil, nil, false).check(netip.MustParseAddrPort("169.254.169.254:80"), false),
	} {
		if r := dialRefusal(Target{otherHost, 443}, err); r.Code != CodePrivateTarget || r.NoFix == private || private && r.Message != otherHost+":443: 10.0.0.1 is not a public address" {
			t.Errorf("private %v: %+v", private, r)
		}
	}
	var urls []string
	r := newRig(t, func(r *rig) {
		r.Fix = func(refused *Refusal) (string, string) {
			urls = append(urls, refused.URL)
			return "", ""
		}
	})
	get(t, r.client(), "https://"+routedHost+"/a%20b?key="+providers.PlaceholderMark)
	if want := "https://" + routedHost + "/a%20b"; len(urls) != 1 || urls[0] != want {
		t.Errorf("placeholder: %q, want %s", urls, want)
	}
}
