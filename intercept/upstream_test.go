package intercept

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// Tunnels and requests use the upstream proxy if there is one, and the TLS of
// intercepted requests ends at the service and not at that proxy.
func TestUpstreamProxy(t *testing.T) {
	r := newRig(t, nil)
	corporate := newRig(t, func(c *rig) {
		c.ConnectTo = r.ConnectTo
		c.Routes = func() *routing.Table { return &routing.Table{} }
		c.Token, c.RequireToken = secret.New("p"), true
	})
	via := &url.URL{Scheme: "http", Host: corporate.addr, User: url.UserPassword("u", "p")}
	r2 := newRig(t, func(s *rig) {
		s.ConnectTo, s.UpstreamRoots = nil, r.UpstreamRoots
		s.UpstreamProxy = func(*url.URL) (*url.URL, error) { return via, nil }
	})
	if _, body := get(t, r2.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("route: %q", body)
	}
	roots := pool(t, r.certs)
	c := r2.client()
	c.Transport.(*http.Transport).TLSClientConfig.RootCAs = roots
	if _, body := get(t, c, "https://"+otherHost+"/"); !strings.Contains(body, "host="+otherHost) {
		t.Errorf("tunnel: %q", body)
	}
	if open := corporate.Stats().Tunnels; open != 2 {
		t.Errorf("%d tunnels through the upstream proxy, want one each", open)
	}
	via.User = url.UserPassword("u", "wrong")
	if response, _ := exchange(t, r2.raw(), "CONNECT "+otherHost+":443 HTTP/1.1\r\n\r\n"); response.StatusCode != 502 {
		t.Errorf("tunnel that the upstream proxy refuses: %d", response.StatusCode)
	}
}

func TestParseConnectTo(t *testing.T) {
	for in, want := range map[string][2]string{
		"api.example.com:443:127.0.0.1:8443": {"api.example.com:443", "127.0.0.1:8443"},
		"[::1]:443:[::2]:8443":               {"[::1]:443", "[::2]:8443"},
		"a.test:443:[::1]:1":                 {"a.test:443", "[::1]:1"},
	} {
		c, err := ParseConnectTo(in)
		if err != nil || c.From.String() != want[0] || c.To.String() != want[1] {
			t.Errorf("%s: %v, %v", in, c, err)
		}
	}
	for _, bad := range []string{"", "a:443", "a:443:b", "a:443:b:0", "a::b:1", ":443:b:1"} {
		if c, err := ParseConnectTo(bad); err == nil {
			t.Errorf("%q was parsed as %v", bad, c)
		}
	}
}
