package auth_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"golang.org/x/oauth2"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// exampleAuth makes a profile with one connection in a temporary directory. A program
// that uses what `authsome login` has stored opens ~/.authsome/master.key and
// ~/.authsome/profiles/default instead.
func exampleAuth() (a *auth.Auth, remove func()) {
	dir, err := os.MkdirTemp("", "authsome-example")
	if err != nil {
		log.Fatal(err)
	}
	key, err := vault.EnsureMasterKey(filepath.Join(dir, "master.key"))
	if err != nil {
		log.Fatal(err)
	}
	v, err := vault.Open(dir, key)
	if err != nil {
		log.Fatal(err)
	}
	custom := filepath.Join(dir, "providers")
	if _, err := providers.Install(custom, []byte(`{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key",
		"host_url":"https://example.com","api_key":{"env_var":"ACME_API_KEY"}}`), false); err != nil {
		log.Fatal(err)
	}
	set, err := providers.Load(custom)
	if err != nil {
		log.Fatal(err)
	}
	d, err := set.Lookup("acme")
	if err != nil {
		log.Fatal(err)
	}
	a = &auth.Auth{Vault: v, Providers: set, Profile: "default"}
	c, err := auth.KeyConnection(d, auth.DefaultName, providers.Values{"api_key": secret.New("secret-key")})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := a.Store(context.Background(), c, false); err != nil {
		log.Fatal(err)
	}
	return a, func() { os.RemoveAll(dir) }
}

// exampleService starts a server that answers with the credential that it received. The
// returned transport sends all requests to that server.
func exampleService() (*httptest.Server, *http.Transport) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s sent %q", r.Host, r.Header.Get("Authorization"))
	}))
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	transport.TLSClientConfig.RootCAs = roots
	return server, transport
}

func printBody(client *http.Client, url string) {
	response, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
}

func ExampleAuth_Header() {
	a, remove := exampleAuth()
	defer remove()

	header, err := a.Header(context.Background(), "acme", "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(header)
	// Output: map[Authorization:[Bearer secret-key]]
}

func ExampleAuth_RoundTripper() {
	a, remove := exampleAuth()
	defer remove()
	server, transport := exampleService()
	defer server.Close()

	client := &http.Client{Transport: a.RoundTripper("acme", "", transport)}
	printBody(client, "https://example.com/v1/me")
	printBody(client, "https://www.example.com/elsewhere")
	// Output:
	// example.com sent "Bearer secret-key"
	// www.example.com sent ""
}

func ExampleAuth_TokenSource() {
	a, remove := exampleAuth()
	defer remove()
	server, transport := exampleService()
	defer server.Close()

	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: transport})
	client := oauth2.NewClient(ctx, a.TokenSource("acme", ""))
	printBody(client, "https://example.com/v1/me")
	// Output: example.com sent "Bearer secret-key"
}
