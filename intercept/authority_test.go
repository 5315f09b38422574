package intercept

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// A request inside a tunnel must name the CONNECT target, or it is refused.
func TestAuthorityInsideTunnel(t *testing.T) {
	r := newRig(t, nil)
	tests := []struct {
		name, request string
		status        int
		code          Code
	}{
		{"same host", "GET / HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 200, ""},
		{"same host with port", "GET / HTTP/1.1\r\nHost: " + routedHost + ":443\r\n\r\n", 200, ""},
		{"same host in capitals", "GET / HTTP/1.1\r\nHost: API.example.COM\r\n\r\n", 200, ""},
		{"other host", "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, CodeAuthorityMismatch},
		{"other port", "GET / HTTP/1.1\r\nHost: " + routedHost + ":444\r\n\r\n", 421, CodeAuthorityMismatch},
		{"suffix", "GET / HTTP/1.1\r\nHost: " + routedHost + ".evil.test\r\n\r\n", 421, CodeAuthorityMismatch},
		{"no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 421, CodeAuthorityMismatch},
		{"absolute form", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 400, CodeBadRequest},
		{"absolute form of another", "GET http://evil.test/ HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 421, CodeAuthorityMismatch},
		{"CONNECT", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nHost: " + routedHost + ":443\r\n\r\n", 400, CodeBadRequest},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 400, CodeBadRequest},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 400, CodeBadRequest},
		{"two hosts", "GET / HTTP/1.1\r\nHost: " + routedHost + "\r\nHost: evil.test\r\n\r\n", 400, ""},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, ""},
		{"bad content length", "POST / HTTP/1.1\r\nHost: " + routedHost + "\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, ""},
		{"unknown transfer coding", "POST / HTTP/1.1\r\nHost: " + routedHost + "\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(r.requests())
			// Clients send the absolute form in a tunnel only if they are asked to. It may
			// be refused with 400 instead of 421, but it must be refused.
			response, body := exchange(t, r.inside(), tt.request)
			refusedEitherWay := tt.status == 421 && response.StatusCode == 400
			if response.StatusCode != tt.status && !refusedEitherWay {
				t.Errorf("status %d %q, want %d", response.StatusCode, body, tt.status)
			}
			if tt.code != "" && !refusedEitherWay && response.Header.Get(errorHeader) != string(tt.code) {
				t.Errorf("code %q, want %q", response.Header.Get(errorHeader), tt.code)
			}
			if sent := len(r.requests()) - before; (tt.status == 200) != (sent == 1) {
				t.Errorf("the upstream saw %d requests", sent)
			}
		})
	}
}

func TestServerName(t *testing.T) {
	r := newRig(t, nil)
	cache := tls.NewLRUClientSessionCache(4)
	try := func(name string, sessions tls.ClientSessionCache) (*tls.Conn, error) {
		c := tls.Client(r.connect(routedHost+":443"), &tls.Config{RootCAs: pool(t, r.authority), ServerName: name, ClientSessionCache: sessions,
			InsecureSkipVerify: name == ""})
		return c, c.Handshake()
	}
	if _, err := try("evil.test", nil); err == nil || !strings.Contains(err.Error(), "tls:") {
		t.Errorf("wrong server name: %v", err)
	}
	if _, err := try("", nil); err != nil {
		t.Errorf("no server name: %v", err)
	}
	// A resumed session must pass the same check, although it never reaches
	// GetCertificate.
	first, err := try(routedHost, cache)
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, first, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n") // reads the session ticket
	second, err := try(routedHost, cache)
	if err != nil || !second.ConnectionState().DidResume {
		t.Fatalf("resumption: %v, resumed %v", err, second.ConnectionState().DidResume)
	}
	if _, err := try("evil.test", renamed{cache}); err == nil {
		t.Error("a resumed session with another server name was served")
	}
}

// renamed offers the session of routedHost for every name.
type renamed struct{ tls.ClientSessionCache }

func (r renamed) Get(string) (*tls.ClientSessionState, bool) {
	return r.ClientSessionCache.Get(routedHost)
}

// Some servers take the method from a header, and some have another name for TRACE.
func TestMethodSpellings(t *testing.T) {
	d, err := providers.Parse([]byte(`{"schema_version":2,"name":"example","flows":["api_key"],"hosts":["` + routedHost + `"],"methods":["GET","POST"]}`))
	if err != nil {
		t.Fatal(err)
	}
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	for _, tt := range []struct {
		method, header, value string
		want                  int
	}{
		{"POST", "X-Other", "DELETE", 200},
		{"POST", "X-HTTP-Method-Override", "POST", 200},
		{"POST", "X-HTTP-Method-Override", "get", 200},
		{"POST", "X-HTTP-Method-Override", "DELETE", 400},
		{"POST", "x-http-method", " delete", 400},
		{"GET", "X-Method-Override", "PATCH", 400},
		{"DELETE", "X-HTTP-Method-Override", "POST", 400},
		{"DELETE", "X-Other", "", 200}, // sent without the credential
		{"POST", "X-HTTP-Method-Override", "TRACE", 400},
		{"TRACK", "X-Other", "", 400},
		{"trace", "X-Other", "", 400},
	} {
		for _, c := range []*http.Client{r.client(), r.http1(), r.absolute()} {
			before := len(r.requests())
			q, err := http.NewRequest(tt.method, "https://"+routedHost+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set(tt.header, tt.value)
			response, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if sent := len(r.requests()) > before; response.StatusCode != tt.want || sent != (tt.want == 200) {
				t.Errorf("%s, %s: %s: %s, sent %t", tt.method, tt.header, tt.value, response.Status, sent)
			}
		}
	}
}
