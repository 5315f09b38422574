package flows_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// world is a TLS server that is every https host. It answers a request for a host, path
// and query with its document, or with 404.
type world struct {
	http *http.Client

	mu   sync.Mutex // guards seen
	seen []string   // requests, such as mcp.example/mcp
}

// newWorld starts a world. A document can be "302 ADDRESS".
func newWorld(t *testing.T, documents map[string]string) *world {
	t.Helper()
	w := &world{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		at := r.Host + r.URL.RequestURI()
		w.mu.Lock()
		w.seen = append(w.seen, at)
		w.mu.Unlock()
		switch d := documents[at]; {
		case d == "":
			http.NotFound(rw, r)
		case strings.HasPrefix(d, "302 "):
			redirectTo(302, d[4:])(rw, r)
		default:
			respondAs("text/html; charset=utf-8", 200, d)(rw, r)
		}
	}))
	t.Cleanup(s.Close)
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // which the certificate is for
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	transport.DisableKeepAlives = true
	w.http = &http.Client{Transport: transport}
	return w
}

// discover runs discovery for the generic MCP provider at an address.
func (w *world) discover(t *testing.T, address string) (*flows.Config, error) {
	t.Helper()
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Lookup("mcp")
	if err != nil {
		t.Fatal(err)
	}
	c := &flows.Config{Definition: d, HTTP: w.http, Values: map[string]secret.String{"base_url": secret.New(address)}}
	return c.Discover(t.Context())
}

func TestDiscoverAddressesAsGiven(t *testing.T) {
	const (
		metadata = ".example/.well-known/oauth-protected-resource"
		server   = `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/a","token_endpoint":"https://as.example/t","code_challenge_methods_supported":["S256"]}`
		serverAt = "as.example/.well-known/oauth-authorization-server"
	)
	about := func(id, server string) string {
		return `{"resource":"` + id + `","authorization_servers":["` + server + `"]}`
	}
	for _, test := range []struct {
		name, address string
		documents     map[string]string
		resource      string   // that is sent; empty means an error
		asked         []string // the last requests of the discovery
		why           string
	}{
		{name: "a slash at the end and a query", address: "https://mcp.example/mcp/?team=1", documents: map[string]string{"mcp" + metadata + "/mcp/?team=1": about("https://mcp.example/mcp/?team=1", "https://as.example")},
			resource: "https://mcp.example/mcp/?team=1", asked: []string{"mcp.example/mcp/?team=1", "mcp" + metadata + "/mcp/?team=1", serverAt}},
		{name: "a query that the metadata leave out", address: "https://mcp.example/mcp?team=1", documents: map[string]string{"mcp" + metadata + "/mcp?team=1": about("https://mcp.example/mcp", "https://as.example")},
			resource: "https://mcp.example/mcp", asked: []string{"mcp.example/mcp?team=1", "mcp" + metadata + "/mcp?team=1", serverAt}},
		{name: "another query", address: "https://mcp.example/mcp?team=1", documents: map[string]string{"mcp" + metadata + "/mcp?team=1": about("https://mcp.example/mcp?team=2", "https://as.example")},
			why: `"https://mcp.example/mcp?..."`},
		{name: "a query after the host", address: "https://mcp.example/?team=1", documents: map[string]string{"mcp" + metadata + "?team=1": about("https://mcp.example", "https://as.example")},
			resource: "https://mcp.example", asked: []string{"mcp.example/?team=1", "mcp" + metadata + "?team=1", serverAt}},
		{name: "another spelling of the host", address: "HTTPS://MCP.example:443/mcp", documents: map[string]string{"MCP.example:443/.well-known/oauth-protected-resource/mcp": about("https://mcp.example/mcp", "https://AS.example:443/"),
			"AS.example:443/.well-known/oauth-authorization-server": server}, resource: "https://mcp.example/mcp"},
		{name: "another port", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": about("https://mcp.example:8443/mcp", "https://as.example")},
			why: `"https://mcp.example:8443/mcp" instead of "https://mcp.example/mcp"`},
		{name: "a slash in the metadata only", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": about("https://mcp.example/mcp/", "https://as.example/")},
			resource: "https://mcp.example/mcp/"},
		{name: "an issuer of another host", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": about("https://mcp.example/mcp", "https://other.example/"), "other.example/.well-known/oauth-authorization-server": server},
			why: `its metadata names "https://as.example" instead of "https://other.example/"`},
		{name: "a redirect to another host", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": "302 https://www.mcp.example/meta", "www.mcp.example/meta": about("https://mcp.example/mcp", "https://as.example")},
			resource: "https://mcp.example/mcp", asked: []string{"www.mcp.example/meta", serverAt}},
		{name: "a redirect to metadata about that other host", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": "302 https://evil.example/meta", "evil.example/meta": about("https://evil.example/mcp", "https://evil.example")},
			why: `"https://evil.example/mcp" instead of "https://mcp.example/mcp"`},
		{name: "a redirect to http", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": "302 http://mcp.example/meta"}, why: "a redirect from https to another scheme"},
		{name: "a redirect to http on this machine", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": "302 http://127.0.0.1/meta"}, why: "a redirect from https to another scheme"},
		{name: "a redirect to a file", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": "302 file:///etc/passwd"}, why: "a redirect from https to another scheme"},
		{name: "a redirect with a user", address: "https://mcp.example/mcp", documents: map[string]string{"mcp" + metadata + "/mcp": "302 https://a:b@mcp.example/meta"}, why: "a redirect: the URL has a user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			documents := map[string]string{serverAt: server}
			for at, d := range test.documents {
				documents[at] = d
			}
			w := newWorld(t, documents)
			found, err := w.discover(t, test.address)
			if test.resource == "" {
				if err == nil || !strings.Contains(err.Error(), test.why) {
					t.Fatalf("error %v, want %q", err, test.why)
				}
				if strings.Contains(err.Error(), "team=") {
					t.Errorf("the error has the query: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := found.Server; s.Resource != test.resource || !flows.SameIssuer(s.Issuer, "https://as.example") {
				t.Errorf("resource %s, issuer %s", s.Resource, s.Issuer)
			}
			if len(test.asked) > 0 && !slices.Equal(w.seen[len(w.seen)-len(test.asked):], test.asked) {
				t.Errorf("asked %q, want %q", w.seen, test.asked)
			}
		})
	}
}

// Without metadata the resource is the address as it was given.
func TestResourceOfAnOldServer(t *testing.T) {
	w := newWorld(t, map[string]string{"mcp.example/.well-known/oauth-authorization-server": `{"issuer":"https://mcp.example/","token_endpoint":"https://mcp.example/t"}`})
	found, err := w.discover(t, "https://mcp.example/mcp/?team=1")
	if err != nil || found.Server.Resource != "https://mcp.example/mcp/?team=1" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestSameIssuer(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"https://as.example", "https://as.example", true},
		{"https://as.example", "https://as.example/", true},
		{"https://as.example:443", "HTTPS://AS.example/", true},
		{"https://as.example:", "https://as.example", true},
		{"https://as.example:8443", "https://as.example:8443/", true},
		{"http://127.0.0.1:80", "http://127.0.0.1/", true},
		{"https://[2001:DB8::1]:443", "https://[2001:db8::1]/", true},
		{"https://[2001:db8::443]", "https://[2001:db8::443]:443", true},
		{"https://[2001:db8::443]", "https://[2001:db8::]", false},
		{"https://as.example:8443", "https://as.example", false},
		{"https://as.example/a", "https://as.example/a/", false},
		{"https://as.example/a", "https://as.example/A", false},
		{"https://as.example//", "https://as.example/", false},
		{"https://as.example/.", "https://as.example/", false},
		{"https://as.example/%61", "https://as.example/a", false},
		{"https://as.example?x", "https://as.example", false},
		{"https://as.example#x", "https://as.example", false},
		{"https://x@as.example", "https://as.example", false},
		{"https://as.example.", "https://as.example", false},
		{"http://as.example", "https://as.example", false},
		{"as.example", "https://as.example", false},
		{"", "https://as.example", false},
		{"", "", true},
	} {
		if flows.SameIssuer(test.a, test.b) != test.same || flows.SameIssuer(test.b, test.a) != test.same {
			t.Errorf("%q and %q: want %v", test.a, test.b, test.same)
		}
	}
}

// A login without PKCE in the metadata needs AllowNoPKCE, and sends a challenge also then.
func TestPKCEThatIsNotAnnounced(t *testing.T) {
	for _, test := range []struct {
		methods string
		err     error // without AllowNoPKCE
		allowed bool  // with it
	}{
		{`,"code_challenge_methods_supported":["plain","S256"]`, nil, true},
		{"", flows.ErrNoPKCE, true},
		{`,"code_challenge_methods_supported":null`, flows.ErrNoPKCE, true},
		{`,"code_challenge_methods_supported":[]`, flows.ErrNoPKCE, true},
		{`,"code_challenge_methods_supported":["plain"]`, flows.ErrUnsupported, false},
	} {
		h := newSite(t, map[string]string{serverMetadata: `{"issuer":"AT","authorization_endpoint":"AT/a","token_endpoint":"AT/t"` + test.methods + `}`, "/t": goodToken})
		c, err := h.mcp(t, "/mcp").Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Client = flows.Client{ID: "id"}
		if err := c.CheckPKCE(); !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.methods, err, test.err)
		}
		if _, err := c.AuthorizationURL("the-state", verifier, redirect, nil); !errors.Is(err, test.err) {
			t.Errorf("%s: %v, want %v", test.methods, err, test.err)
		}
		c.AllowNoPKCE = true
		address, err := c.AuthorizationURL("the-state", verifier, redirect, nil)
		if (err == nil) != test.allowed || test.allowed && !strings.Contains(address, "code_challenge="+verifierChallenge) {
			t.Errorf("%s: %s, %v", test.methods, address, err)
		}
		// A refresh does not need it.
		c.AllowNoPKCE = false
		if _, err := refresh(t.Context(), c); err != nil {
			t.Errorf("%s: refresh: %v", test.methods, err)
		}
	}
}
