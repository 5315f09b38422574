package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// oddSecret has characters that form encoding changes in Basic authentication.
const oddSecret = "p+ss w/rd=%&:é"

// newFosite starts an authorization server on loopback, over plain http. It approves
// every request.
func newFosite(t *testing.T) (*httptest.Server, *storage.MemoryStore) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	store := storage.NewMemoryStore()
	config := &fosite.Config{
		AccessTokenLifespan:                 time.Hour,
		RefreshTokenScopes:                  []string{},
		EnforcePKCE:                         true,
		GlobalSecret:                        []byte("thirty-two-octets-for-this-test!"),
		SendDebugMessagesToClients:          true,
		GrantTypeJWTBearerCanSkipClientAuth: true,
	}
	as := compose.ComposeAllEnabled(config, store, key)
	mux := http.NewServeMux()
	session := func() *fosite.DefaultSession { return &fosite.DefaultSession{Subject: "me"} }
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		request, err := as.NewAuthorizeRequest(r.Context(), r)
		if err != nil {
			as.WriteAuthorizeError(r.Context(), w, request, err)
			return
		}
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		response, err := as.NewAuthorizeResponse(r.Context(), request, session())
		if err != nil {
			as.WriteAuthorizeError(r.Context(), w, request, err)
			return
		}
		as.WriteAuthorizeResponse(r.Context(), w, request, response)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		request, err := as.NewAccessRequest(r.Context(), r, session())
		if err != nil {
			as.WriteAccessError(r.Context(), w, request, err)
			return
		}
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		response, err := as.NewAccessResponse(r.Context(), request)
		if err != nil {
			as.WriteAccessError(r.Context(), w, request, err)
			return
		}
		as.WriteAccessResponse(r.Context(), w, request, response)
	})
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, r *http.Request) {
		as.WriteRevocationResponse(r.Context(), w, as.NewRevocationRequest(r.Context(), r))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config.TokenURL = server.URL + "/token"

	hash, err := bcrypt.GenerateFromPassword([]byte(oddSecret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	client := func(id string, public bool) *fosite.DefaultClient {
		return &fosite.DefaultClient{
			ID: id, Secret: hash, Public: public, RedirectURIs: []string{"http://127.0.0.1/callback"}, ResponseTypes: []string{"code"}, Scopes: []string{"a", "b"},
			GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		}
	}
	store.Clients["confi dential"] = client("confi dential", false)
	store.Clients["public"] = client("public", true)
	return server, store
}

// fositeConfig returns a client of the server.
func fositeConfig(t *testing.T, server *httptest.Server, method, more string) *flows.Config {
	t.Helper()
	return &flows.Config{
		Definition: define(t, `"params":[{"name":"private_key","secret":true,"optional":true}],
			"oauth":{"authorization_url":"%[1]s/authorize","token_url":"%[1]s/token","token_auth":%[2]q,"scopes":["a","b"],"revocation":{"url":"%[1]s/revoke"}%[3]s}`, server.URL, method, more),
		Client: flows.Client{ID: "confi dential", Secret: secret.New(oddSecret)},
	}
}

// clients returns a public client and confidential ones, by authentication method.
func clients(t *testing.T, server *httptest.Server) map[string]*flows.Config {
	public := fositeConfig(t, server, "none", "")
	public.Client = flows.Client{ID: "public"}
	return map[string]*flows.Config{"none": public, "basic": fositeConfig(t, server, "basic", ""), "post": fositeConfig(t, server, "post", "")}
}

// TestFositeRotation logs in with the code flow and PKCE, which the server requires,
// and refreshes. Using a replaced refresh token again revokes the whole family.
func TestFositeRotation(t *testing.T) {
	server, _ := newFosite(t)
	for name, c := range clients(t, server) {
		t.Run(name, func(t *testing.T) {
			first, callback, verifier := login(t, c, server.Client(), nil)
			if len(first.Scopes) != 2 || first.TokenType != "bearer" || time.Until(first.ExpiresAt) > time.Hour || time.Until(first.ExpiresAt) < 50*time.Minute {
				t.Errorf("token %+v", first)
			}
			second, err := c.Refresh(t.Context(), first.RefreshToken, nil)
			if err != nil {
				t.Fatal(err)
			}
			if second.RefreshToken.Equal(first.RefreshToken) || second.RefreshToken.IsZero() {
				t.Error("not rotated")
			}
			narrow, err := c.Refresh(t.Context(), second.RefreshToken, []string{"a"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Refresh(t.Context(), first.RefreshToken, nil)
			refused(t, err, "invalid_grant")
			_, err = c.Refresh(t.Context(), narrow.RefreshToken, nil)
			refused(t, err, "invalid_grant")
			// So does using the code again.
			_, err = c.Exchange(t.Context(), secret.New(callback.Get("code")), verifier, redirect, callback)
			refused(t, err, "invalid_grant")
		})
	}
}

func TestFositeClientAuthentication(t *testing.T) {
	server, _ := newFosite(t)
	for _, method := range []string{"basic", "post"} {
		c := fositeConfig(t, server, method, "")
		token, err := c.ClientCredentials(t.Context(), []string{"a"})
		if err != nil || token.AccessToken.IsZero() || !token.RefreshToken.IsZero() || len(token.Scopes) != 1 {
			t.Errorf("%s: %+v, %v", method, token, err)
		}
		c.Client.Secret = secret.New("wrong")
		_, err = c.ClientCredentials(t.Context(), nil)
		refused(t, err, "invalid_client")
		_, err = c.Refresh(t.Context(), secret.New("x"), nil)
		refused(t, err, "invalid_client")
	}
	// This server decodes the secret, so one that is not encoded is wrong.
	_, err := fositeConfig(t, server, "basic_raw", "").ClientCredentials(t.Context(), nil)
	if err == nil {
		t.Error("the secret is accepted without form encoding")
	}
}

func TestFositeUnknownScope(t *testing.T) {
	server, _ := newFosite(t)
	_, err := fositeConfig(t, server, "post", "").ClientCredentials(t.Context(), []string{"never"})
	refused(t, err, "invalid_scope")
}

// TestFositeRevocation revokes a refresh token, which also revokes its access token.
// A confidential client has to authenticate.
func TestFositeRevocation(t *testing.T) {
	server, store := newFosite(t)
	for name, c := range clients(t, server) {
		t.Run(name, func(t *testing.T) {
			token, _, _ := login(t, c, server.Client(), nil)
			if name != "none" {
				stranger := *c
				stranger.Client.Secret = secret.New("wrong")
				refused(t, stranger.Revoke(t.Context(), token.AccessToken, token.RefreshToken), "invalid_client")
			}
			before := len(store.AccessTokens)
			if err := c.Revoke(t.Context(), token.AccessToken, token.RefreshToken); err != nil {
				t.Fatal(err)
			}
			if len(store.AccessTokens) != before-1 {
				t.Error("the access token was not revoked")
			}
			_, err := c.Refresh(t.Context(), token.RefreshToken, nil)
			refused(t, err, "invalid_grant")
			// RFC 7009 section 2.2: revoking an unknown token is not an error.
			if err := c.Revoke(t.Context(), token.AccessToken, token.RefreshToken); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFositePrivateKeyJWT(t *testing.T) {
	server, store := newFosite(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, key := range map[string]any{"ES256": ec, "RS256": rs} {
		public := any(&ec.PublicKey)
		if algorithm == "RS256" {
			public = &rs.PublicKey
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		jwk := jose.JSONWebKey{Key: public, KeyID: "k1", Use: "sig", Algorithm: algorithm}
		store.Clients[algorithm] = &fosite.DefaultOpenIDConnectClient{
			DefaultClient:                     &fosite.DefaultClient{ID: algorithm, GrantTypes: []string{"client_credentials"}, Scopes: []string{"a", "b"}},
			JSONWebKeys:                       &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}},
			TokenEndpointAuthMethod:           "private_key_jwt",
			TokenEndpointAuthSigningAlgorithm: algorithm,
		}
		c := fositeConfig(t, server, "private_key_jwt", `,"jwt":{"key":"{private_key}","key_id":"k1","algorithm":"`+algorithm+`"}`)
		c.Client = flows.Client{ID: algorithm}
		c.Values = map[string]secret.String{"private_key": secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))}
		for range 2 { // each assertion has a new jti
			if token, err := c.ClientCredentials(t.Context(), nil); err != nil || token.AccessToken.IsZero() {
				t.Errorf("%s: %v", algorithm, err)
			}
		}

		// The same key for a JWT bearer grant (RFC 7523 section 2.1).
		store.IssuerPublicKeys["robot"] = storage.IssuerPublicKeys{Issuer: "robot", KeysBySub: map[string]storage.SubjectPublicKeys{
			"me": {Subject: "me", Keys: map[string]storage.PublicKeyScopes{"k1": {Key: &jwk, Scopes: []string{"a", "b"}}}},
		}}
		bearer := fositeConfig(t, server, "none", `,"jwt":{"key":"{private_key}","key_id":"k1","issuer":"robot","subject":"me","algorithm":"`+algorithm+`"}`)
		bearer.Client, bearer.Values = flows.Client{}, c.Values
		if token, err := bearer.JWTBearer(t.Context(), nil); err != nil || token.AccessToken.IsZero() || !token.RefreshToken.IsZero() {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}
