package oauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// store is the storage of the library's example server, with a key of the test.
type store struct {
	*storage.Storage
	key *rsa.PublicKey
}

func (s *store) GetKeyByIDAndClientID(_ context.Context, keyID, _ string) (*jose.JSONWebKey, error) {
	return &jose.JSONWebKey{KeyID: keyID, Use: "sig", Key: s.key}, nil
}

type zitadel struct {
	*httptest.Server
	store *store
	polls chan struct{} // one for each token request
}

// newZitadel starts an OpenID provider on loopback, over TLS. key is that of its
// service user.
func newZitadel(t *testing.T, key *rsa.PublicKey) *zitadel {
	t.Helper()
	z := &zitadel{polls: make(chan struct{}, 100)}
	var handler http.Handler
	z.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/token") {
			z.polls <- struct{}{}
		}
	}))
	t.Cleanup(z.Close)
	z.store = &store{storage.NewStorageWithClients(storage.NewUserStore("https://localhost:1/"), map[string]*storage.Client{
		"native": storage.NativeClient("native", "http://127.0.0.1/callback"),
		"web":    storage.WebClient("web", "web secret", redirect),
		"device": storage.DeviceClient("device", "device secret"),
	}), key}
	handler = exampleop.SetupServer(z.URL, z.store, slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	return z
}

// discovered returns a client that has found the endpoints by discovery.
func (z *zitadel) discovered(t *testing.T, client flows.Client, more string) *flows.Config {
	t.Helper()
	c := &flows.Config{
		Definition: define(t, `"params":[{"name":"key_file","secret":true,"optional":true},{"name":"user","from":"key_file","path":"userId","optional":true},
			{"name":"key_id","from":"key_file","path":"keyId","optional":true},{"name":"private_key","secret":true,"from":"key_file","path":"key","optional":true}],
			"oauth":{"discovery":"issuer","issuer":%q,"scopes":["openid","offline_access"]%s}`, z.URL, more),
		Client: client,
		HTTP:   z.Client(),
	}
	c, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func credentials() url.Values {
	return url.Values{"username": {"test-user@localhost"}, "password": {"verysecure"}}
}

func TestZitadelDiscovery(t *testing.T) {
	z := newZitadel(t, nil)
	s := z.discovered(t, flows.Client{}, "").Server
	for _, endpoint := range []string{s.AuthorizationURL, s.TokenURL, s.DeviceURL, s.RevocationURL} {
		if !strings.HasPrefix(endpoint, z.URL+"/") {
			t.Errorf("endpoint %q", endpoint)
		}
	}
	if s.Issuer != z.URL {
		t.Errorf("issuer %s", s.Issuer)
	}
	// An empty path is the same as a slash (RFC 3986 section 6.2.3); any other path is not.
	for path, same := range map[string]bool{"/": true, "/tenant": false} {
		c := &flows.Config{Definition: define(t, `"oauth":{"discovery":"issuer","issuer":"%s%s"}`, z.URL, path), HTTP: z.Client()}
		if _, err := c.Discover(t.Context()); (err == nil) != same {
			t.Errorf("issuer with the path %s: %v", path, err)
		}
	}
}

// TestZitadelCode logs in as a public and as a confidential client, which
// authenticates as discovery says.
func TestZitadelCode(t *testing.T) {
	z := newZitadel(t, nil)
	for name, client := range map[string]flows.Client{
		"native": {ID: "native"}, "web": {ID: "web", Secret: secret.New("web secret")},
	} {
		t.Run(name, func(t *testing.T) {
			c := z.discovered(t, client, "")
			token, callback, verifier := login(t, c, z.Client(), credentials())
			next, err := c.Refresh(t.Context(), token.RefreshToken, nil)
			if err != nil || next.RefreshToken.IsZero() || next.RefreshToken.Equal(token.RefreshToken) {
				t.Fatalf("%+v, %v", next, err)
			}
			if _, err := c.Refresh(t.Context(), token.RefreshToken, nil); err == nil {
				t.Error("the old refresh token is still valid")
			}
			if _, err := c.Exchange(t.Context(), secret.New(callback.Get("code")), verifier, redirect, callback); err == nil {
				t.Error("the code can be used again")
			}
			if err := c.Revoke(t.Context(), next.AccessToken, next.RefreshToken); err != nil {
				t.Error(err)
			}
			if _, err := c.Refresh(t.Context(), next.RefreshToken, nil); err == nil {
				t.Error("the revoked refresh token is still valid")
			}
		})
	}
}

func TestZitadelDevice(t *testing.T) {
	z := newZitadel(t, nil)
	c := z.discovered(t, flows.Client{ID: "device", Secret: secret.New("device secret")}, "")
	for _, approve := range []bool{true, false} {
		d, err := c.DeviceAuthorize(t.Context(), []string{"openid"})
		if err != nil {
			t.Fatal(err)
		}
		if d.Interval != 5*time.Second || time.Until(d.ExpiresAt) > 5*time.Minute || !strings.HasPrefix(d.VerificationURI, z.URL+"/device") || !strings.Contains(d.VerificationURIComplete, d.UserCode) {
			t.Errorf("%+v", d)
		}
		d.Interval = time.Millisecond
		decided := make(chan error, 1)
		go func() {
			<-z.polls // at the first one the user has not decided yet
			if approve {
				decided <- z.store.CompleteDeviceAuthorization(context.Background(), d.UserCode, "id1")
			} else {
				decided <- z.store.DenyDeviceAuthorization(context.Background(), d.UserCode)
			}
		}()
		token, err := c.DevicePoll(t.Context(), d)
		if decideErr := <-decided; decideErr != nil {
			t.Fatal(decideErr)
		}
		if approve && (err != nil || token.AccessToken.IsZero()) {
			t.Errorf("%+v, %v", token, err)
		}
		if !approve {
			refused(t, err, "access_denied")
		}
		for len(z.polls) > 0 {
			<-z.polls
		}
	}
	c.Client.Secret = secret.New("wrong")
	if _, err := c.DeviceAuthorize(t.Context(), nil); err == nil {
		t.Error("the device endpoint accepted a wrong secret")
	}
}

func TestZitadelClientCredentials(t *testing.T) {
	z := newZitadel(t, nil)
	c := z.discovered(t, flows.Client{ID: "sid1", Secret: secret.New("verysecret")}, "")
	token, err := c.ClientCredentials(t.Context(), []string{"openid"})
	if err != nil || token.AccessToken.IsZero() || !token.RefreshToken.IsZero() || token.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", token, err)
	}
	c.Client.Secret = secret.New("wrong")
	if _, err := c.ClientCredentials(t.Context(), nil); err == nil {
		t.Error("a wrong secret was accepted")
	}
}

// TestZitadelJWTBearer uses a service user's JSON key file, in the format of the
// server's console.
func TestZitadelJWTBearer(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	z := newZitadel(t, &key.PublicKey)
	file, err := json.Marshal(map[string]string{
		"type": "serviceaccount", "keyId": "key1", "userId": "service",
		"key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := z.discovered(t, flows.Client{}, `,"token_auth":"none","jwt":{"key":"{private_key}","key_id":"{key_id}","issuer":"{user}","subject":"{user}","audience":"`+z.URL+`"}`)
	c.Values = map[string]secret.String{"key_file": secret.New(string(file))}
	if err := c.Definition.Derive(c.Values); err != nil {
		t.Fatal(err)
	}
	token, err := c.JWTBearer(t.Context(), []string{"openid"})
	if err != nil || token.AccessToken.IsZero() || !token.RefreshToken.IsZero() {
		t.Errorf("%+v, %v", token, err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	z.store.key = &other.PublicKey
	if _, err := c.JWTBearer(t.Context(), []string{"openid"}); err == nil {
		t.Error("a signature by another key was accepted")
	}
}
