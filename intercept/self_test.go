package intercept

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// The proxy itself answers for [SelfHost] over TLS, also if all hosts without a route
// are denied, and sends nothing upstream.
func TestProxyAnswersForItself(t *testing.T) {
	for _, deny := range []bool{false, true} {
		r := newRig(t, func(r *rig) {
			routes := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: deny})
			r.Proxy.Routes = func() *routing.Table { return routes }
		})
		response, err := r.client().Get("https://" + SelfHost + "/any/path")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || string(body) != SelfAnswer {
			t.Errorf("%d %q, %v", response.StatusCode, body, err)
		}
		if seen := r.requests(); len(seen) != 0 {
			t.Errorf("%d requests went upstream", len(seen))
		}
		if _, err := r.client().Get("https://" + SelfHost + ":444/"); err == nil {
			t.Error("another port is answered too")
		}
	}
}

// The handler for [SelfPath] gets the requests below it, over TLS and from this machine
// without TLS, and only from clients that may use the proxy.
func TestSelfPathHasItsHandler(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, q.URL.RequestURI())
	})
	first := newRig(t, nil)
	for _, from := range []string{"127.0.0.1:4711", "192.0.2.7:4711"} {
		r := sibling(first, &Proxy{Self: handler, Token: secret.New("the token")})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.serve(fromListener{l, from})
		local := strings.HasPrefix(from, "127.")
		for _, tt := range []struct {
			request, local, remote string
		}{
			{"GET http://" + SelfHost + "/v1/a?b=c", "418 /v1/a?b=c", "403 tunnel_required"},
			{"GET https://" + SelfHost + "/v1/a?b=c", "418 /v1/a?b=c", "403 tunnel_required"},
			{"GET http://" + SelfHost + "/", "200 " + SelfAnswer, "403 tunnel_required"},
			{"GET http://" + SelfHost + ":443/v1/a", "502 upstream_unreachable", "502 upstream_unreachable"},
		} {
			request := tt.request + " HTTP/1.1\r\nHost: " + SelfHost + "\r\n"
			if response, _ := exchange(t, r.raw(), request+"\r\n"); response.StatusCode != http.StatusProxyAuthRequired {
				t.Errorf("%s without the token: %d", tt.request, response.StatusCode)
			}
			r.next()
			response, body := exchange(t, r.raw(), request+"Proxy-Authorization: Bearer the token\r\n\r\n")
			if code := response.Header.Get(errorHeader); code != "" {
				body = code
			}
			want := tt.remote
			if local {
				want = tt.local
			}
			if got := fmt.Sprint(response.StatusCode, " ", body); got != want {
				t.Errorf("%s from %s: %q, want %q", tt.request, from, got, want)
			}
			if x := r.next(); x.Status != response.StatusCode || x.Injected || strings.Contains(x.Path, "?") {
				t.Errorf("recorded %+v", x)
			}
		}
		c := r.client()
		c.Transport.(*http.Transport).Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr, User: url.UserPassword("authsome", "the token")})
		if response, body := get(t, c, "https://"+SelfHost+"/v1/a"); response.StatusCode != http.StatusTeapot || body != "/v1/a" {
			t.Errorf("in a tunnel from %s: %d %q", from, response.StatusCode, body)
		}
	}
	if seen := first.requests(); len(seen) != 0 {
		t.Errorf("%d requests went upstream", len(seen))
	}
}

// A handler that panics ends its own connection only.
func TestSelfHandlerPanics(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.Self = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == SelfPath+"panic" {
				panic("in the handler")
			}
		})
	})
	if _, err := r.client().Get("https://" + SelfHost + SelfPath + "panic"); err == nil {
		t.Error("an answer after a panic")
	}
	if response, _ := get(t, r.client(), "https://"+SelfHost+SelfPath); response.StatusCode != 200 {
		t.Errorf("the next request: %d", response.StatusCode)
	}
}
