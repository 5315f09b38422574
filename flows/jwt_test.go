package flows_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// verified checks a JWT's signature, and returns its header and claims.
func verified(t *testing.T, token string, key crypto.PublicKey) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if json.Unmarshal(decode(parts[0]), &header) != nil || json.Unmarshal(decode(parts[1]), &claims) != nil {
		t.Fatal("not JSON")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature := decode(parts[2])
	switch key := key.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature); err != nil {
			t.Error(err)
		}
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if len(signature) != 64 || !ecdsa.Verify(key, digest[:], r, s) {
			t.Error("the signature is wrong")
		}
	}
	return header, claims
}

func TestJWTBearer(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	rsaPEM := pemOf(t, "PRIVATE KEY", pkcs8, err)
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	ecPEM := pemOf(t, "EC PRIVATE KEY", sec1, err)
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "robot@x.example", "private_key_id": "k1", "private_key": rsaPEM, "token_uri": "https://evil.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	const google = `"params":[{"name":"key_file","secret":true},{"name":"subject","optional":true},
		{"name":"client_email","from":"key_file","path":"client_email"},{"name":"key_id","from":"key_file","path":"private_key_id"},
		{"name":"private_key","secret":true,"from":"key_file","path":"private_key"}]`
	const own = `"params":[{"name":"private_key","secret":true}]`
	for _, test := range []struct {
		name   string
		oauth  string
		params string
		values map[string]string
		client flows.Client
		public crypto.PublicKey
		header map[string]any
		claims map[string]any
		body   string
	}{
		{name: "Google's key file", oauth: `"token_auth":"none","scopes":["a","b"],"jwt":{"key":"{private_key}","key_id":"{key_id}","issuer":"{client_email}","subject":"{subject}","claims":{"scope":"less"}}`, params: google,
			values: map[string]string{"key_file": string(file)}, public: &rsaKey.PublicKey, header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": "k1"},
			claims: map[string]any{"iss": "robot@x.example", "scope": "a b"}, body: "scope=a b"},
		{name: "on behalf of a user, for another audience", oauth: `"token_auth":"none","jwt":{"key":"{private_key}","issuer":"{client_email}","subject":"{subject}","audience":"https://aud.example","claims":{"x":"{key_id}"}}`,
			params: google, values: map[string]string{"key_file": string(file), "subject": "me@x.example"}, public: &rsaKey.PublicKey, header: map[string]any{"alg": "RS256", "typ": "JWT"},
			claims: map[string]any{"iss": "robot@x.example", "sub": "me@x.example", "aud": "https://aud.example", "x": "k1"}},
		{name: "a client with ES256", oauth: `"token_auth":"none","jwt":{"key":"{private_key}","algorithm":"ES256"}`, params: own, client: flows.Client{ID: "id"},
			values: map[string]string{"private_key": ecPEM}, public: &ecKey.PublicKey, header: map[string]any{"alg": "ES256", "typ": "JWT"}, claims: map[string]any{"iss": "id"}, body: "client_id=id"},
		{name: "older PEM, with its line breaks escaped", oauth: `"token_auth":"none","jwt":{"key":"{private_key}"}`, params: own, client: flows.Client{ID: "id"},
			values: map[string]string{"private_key": strings.ReplaceAll(pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil), "\n", `\n`)},
			public: &rsaKey.PublicKey, header: map[string]any{"alg": "RS256", "typ": "JWT"}, claims: map[string]any{"iss": "id"}, body: "client_id=id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHostile(t, says(200, goodToken))
			c := h.config(t, test.oauth, test.params)
			c.Client = test.client
			c.Values = make(map[string]secret.String)
			for name, v := range test.values {
				c.Values[name] = secret.New(v)
			}
			if err := c.Definition.Derive(c.Values); err != nil {
				t.Fatal(err)
			}
			token, err := c.JWTBearer(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if token.AccessToken.Reveal() != "a" || !token.RefreshToken.IsZero() {
				t.Errorf("%q %q", token.AccessToken.Reveal(), token.RefreshToken.Reveal())
			}
			form := formOf(t, h.requests()[0].body)
			header, claims := verified(t, form.Get("assertion"), test.public)
			form.Del("assertion")
			if want := sorted(test.body + "\ngrant_type=urn:ietf:params:oauth:grant-type:jwt-bearer"); lines(form) != strings.TrimPrefix(want, "=\n") {
				t.Errorf("body\n%s\nwant\n%s", lines(form), want)
			}
			if !reflect.DeepEqual(header, test.header) {
				t.Errorf("header %v, want %v", header, test.header)
			}
			test.claims["iat"], test.claims["exp"] = float64(noon.Unix()-30), float64(noon.Unix()+180)
			if test.claims["aud"] == nil {
				test.claims["aud"] = h.URL + "/token"
			}
			if jti, _ := claims["jti"].(string); len(jti) < 20 {
				t.Errorf("jti %q", jti)
			}
			delete(claims, "jti")
			if !reflect.DeepEqual(claims, test.claims) {
				t.Errorf("claims %v, want %v", claims, test.claims)
			}
		})
	}

	t.Run("private_key_jwt", func(t *testing.T) {
		h := newHostile(t, says(200, goodToken))
		c := h.config(t, `"token_auth":"private_key_jwt","jwt":{"key":"{private_key}","key_id":"k2","algorithm":"ES256","issuer":"somebody else"}`, own)
		c.Values = map[string]secret.String{"private_key": secret.New(ecPEM)}
		if _, err := refresh(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		form := formOf(t, h.requests()[0].body)
		header, claims := verified(t, form.Get("client_assertion"), &ecKey.PublicKey)
		form.Del("client_assertion")
		if want := "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer\nclient_id=id\ngrant_type=refresh_token\nrefresh_token=the-refresh"; lines(form) != want {
			t.Errorf("body\n%s\nwant\n%s", lines(form), want)
		}
		if header["kid"] != "k2" || header["alg"] != "ES256" || claims["iss"] != "id" || claims["sub"] != "id" || claims["aud"] != h.URL+"/token" {
			t.Errorf("%v %v", header, claims)
		}
		// It is enough for client credentials.
		c.Client.Secret = secret.String{}
		if _, err := c.ClientCredentials(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})

	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err = x509.MarshalECPrivateKey(p384)
	for name, test := range map[string]struct{ key, algorithm string }{
		"no PEM":           {"PRIVATE KEY----- hush-secret", "RS256"},
		"encrypted":        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "RS256"},
		"no key":           {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "RS256"},
		"RSA for ES256":    {rsaPEM, "ES256"},
		"EC for RS256":     {ecPEM, "RS256"},
		"P-384 for ES256":  {pemOf(t, "EC PRIVATE KEY", sec1, err), "ES256"},
		"an odd algorithm": {rsaPEM, "none"},
	} {
		h := newHostile(t, says(200, goodToken))
		c := h.config(t, `"jwt":{"key":"{private_key}"}`, own)
		c.Definition.OAuth.JWT.Algorithm = test.algorithm
		c.Values = map[string]secret.String{"private_key": secret.New(test.key)}
		if _, err := c.JWTBearer(t.Context(), nil); err == nil || len(h.requests()) != 0 {
			t.Errorf("%s: error %v, %d requests", name, err, len(h.requests()))
		} else {
			noSecrets(t, err)
		}
	}
}

func formOf(t *testing.T, body string) url.Values {
	t.Helper()
	form := make(url.Values)
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		form.Add(name, value)
	}
	return form
}
