package intercept

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

func TestHeadersTowardsUpstream(t *testing.T) {
	r := newRig(t, nil)
	_, _ = exchange(t, r.inside(), "POST /p HTTP/1.1\r\nHost: "+routedHost+"\r\n"+
		"Authorization: Bearer mine\r\nauthorization: Basic bWluZQ==\r\nConnection: keep-alive, Authorization, X-Mine\r\nX-Mine: 1\r\n"+
		"Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"+
		"TE: trailers, gzip\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\nX-End: 2\r\n\r\n"+
		"4\r\nbody\r\n0\r\nAuthorization: Bearer late\r\n\r\n")
	seen := r.requests()
	if len(seen) != 1 {
		t.Fatalf("the upstream saw %d requests", len(seen))
	}
	h := seen[0].Header
	if got := h["Authorization"]; len(got) != 1 || got[0] != "Bearer "+realKey {
		t.Errorf("Authorization: %q", got)
	}
	for _, name := range []string{"Connection", "X-Mine", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Http2-Settings", "Trailer", "User-Agent", "X-Forwarded-For"} {
		if v, ok := h[name]; ok {
			t.Errorf("%s was sent: %q", name, v)
		}
	}
	if h.Get("Te") != "trailers" || h.Get("X-End") != "2" {
		t.Errorf("TE %q, X-End %q", h.Get("Te"), h.Get("X-End"))
	}
	if len(seen[0].Trailer) > 0 {
		t.Errorf("trailers were sent: %v", seen[0].Trailer)
	}
}

// An upgrade to h2c is not passed on: its requests would not be checked.
func TestUpgradeOtherThanWebSocket(t *testing.T) {
	r := newRig(t, nil)
	response, _ := exchange(t, r.inside(), "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	if response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	if h := r.requests()[0].Header; h.Get("Upgrade") != "" || h.Get("Connection") != "" {
		t.Errorf("passed on: %v", h)
	}
}

func TestHeadersTowardsClient(t *testing.T) {
	r := newRig(t, nil)
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("Location", "https://elsewhere.test/")
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h["Content-Type"] = nil
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusFound)
	})
	response, _ := get(t, r.client(), "https://"+routedHost+"/")
	if response.StatusCode != http.StatusFound || response.Header.Get("Location") != "https://elsewhere.test/" {
		t.Errorf("the redirect was not passed on: %d %v", response.StatusCode, response.Header)
	}
	if response.Header.Get("Alt-Svc") != "" {
		t.Error("Alt-Svc was passed on")
	}
	if got := response.Header["Set-Cookie"]; len(got) != 2 {
		t.Errorf("cookies: %q", got)
	}
	if _, ok := response.Header["Content-Type"]; ok {
		t.Error("a content type was added")
	}
}

func TestInformationalAndTrailers(t *testing.T) {
	for _, name := range []string{"http1", "http2"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.handle(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Del("Link")
				w.Header().Set("Trailer", "Grpc-Status")
				io.WriteString(w, "body")
				w.Header().Set("Grpc-Status", "0")
				w.Header().Set(http.TrailerPrefix+"Unannounced", "yes")
			})
			c := r.client()
			if name == "http1" {
				c = r.http1()
			}
			var hints []string
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, h.Get("Link")))
				return nil
			}})
			q, _ := http.NewRequestWithContext(ctx, "GET", "https://"+routedHost+"/", nil)
			response, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			io.Copy(io.Discard, response.Body)
			if len(hints) != 1 || hints[0] != "103</style.css>; rel=preload" {
				t.Errorf("1xx responses: %q", hints)
			}
			if response.Header.Get("Link") != "" {
				t.Error("a field of the 1xx response is in the final one")
			}
			if response.Trailer.Get("Grpc-Status") != "0" || response.Trailer.Get("Unannounced") != "yes" {
				t.Errorf("trailers: %v", response.Trailer)
			}
		})
	}
}
