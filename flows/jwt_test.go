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
	"reflect"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// testKeys are private keys in PEM, with their public keys.
type testKeys struct {
	rsa         *rsa.PublicKey
	ec          *ecdsa.PublicKey
	rsaPKCS8    string
	rsaPKCS1    string
	ecSEC1      string
	ecWithCurve string
	p384SEC1    string
	googleKey   string // a key file of a Google service account, with the RSA key
}

func newTestKeys(t *testing.T) testKeys {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	encode := func(kind string, der []byte, err error) string {
		t.Helper()
		check(err)
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(err)
	keys := testKeys{rsa: &rsaKey.PublicKey, ec: &ecKey.PublicKey}
	keys.rsaPKCS1 = encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	keys.rsaPKCS8 = encode("PRIVATE KEY", der, err)
	der, err = x509.MarshalECPrivateKey(ecKey)
	keys.ecSEC1 = encode("EC PRIVATE KEY", der, err)
	// As openssl ecparam -genkey writes it: the curve first.
	keys.ecWithCurve = encode("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, nil) + keys.ecSEC1
	der, err = x509.MarshalECPrivateKey(p384)
	keys.p384SEC1 = encode("EC PRIVATE KEY", der, err)
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "robot@x.example", "private_key_id": "k1", "private_key": keys.rsaPKCS8, "token_uri": "https://evil.example",
	})
	check(err)
	keys.googleKey = string(file)
	return keys
}

// verifyJWT checks a JWT's signature and returns its header and claims.
func verifyJWT(t *testing.T, token string, key crypto.PublicKey) (header, claims map[string]any) {
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
			t.Error("the signature is invalid")
		}
	}
	return header, claims
}

// Params of the definitions: those of Google's service accounts, and a single key.
const (
	googleParams = `"params":[{"name":"key_file","secret":true},{"name":"subject","optional":true},
		{"name":"client_email","from":"key_file","path":"client_email"},{"name":"key_id","from":"key_file","path":"private_key_id"},
		{"name":"private_key","secret":true,"from":"key_file","path":"private_key"}]`
	keyParams = `"params":[{"name":"private_key","secret":true}]`
)

func TestJWTBearer(t *testing.T) {
	keys := newTestKeys(t)
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
		{name: "Google's key file", oauth: `"token_auth":"none","scopes":["a","b"],"jwt":{"key":"{private_key}","key_id":"{key_id}","issuer":"{client_email}","subject":"{subject}","claims":{"scope":"less"}}`, params: googleParams,
			values: map[string]string{"key_file": keys.googleKey}, public: keys.rsa, header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": "k1"},
			claims: map[string]any{"iss": "robot@x.example", "scope": "a b"}, body: "scope=a b"},
		{name: "on behalf of a user, for another audience", oauth: `"token_auth":"none","jwt":{"key":"{private_key}","issuer":"{client_email}","subject":"{subject}","audience":"https://aud.example","claims":{"x":"{key_id}"}}`,
			params: googleParams, values: map[string]string{"key_file": keys.googleKey, "subject": "me@x.example"}, public: keys.rsa, header: map[string]any{"alg": "RS256", "typ": "JWT"},
			claims: map[string]any{"iss": "robot@x.example", "sub": "me@x.example", "aud": "https://aud.example", "x": "k1"}},
		{name: "a client with ES256", oauth: `"token_auth":"none","jwt":{"key":"{private_key}","algorithm":"ES256"}`, params: keyParams, client: flows.Client{ID: "id"},
			values: map[string]string{"private_key": keys.ecWithCurve}, public: keys.ec, header: map[string]any{"alg": "ES256", "typ": "JWT"}, claims: map[string]any{"iss": "id"}, body: "client_id=id"},
		{name: "PKCS #1 with escaped line breaks", oauth: `"token_auth":"none","jwt":{"key":"{private_key}"}`, params: keyParams, client: flows.Client{ID: "id"},
			values: map[string]string{"private_key": strings.ReplaceAll(keys.rsaPKCS1, "\n", `\n`)},
			public: keys.rsa, header: map[string]any{"alg": "RS256", "typ": "JWT"}, claims: map[string]any{"iss": "id"}, body: "client_id=id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, respond(200, goodToken))
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
			form := formOf(h.requests()[0].body)
			header, claims := verifyJWT(t, form.Get("assertion"), test.public)
			form.Del("assertion")
			if want := sortedLines(test.body + "\ngrant_type=urn:ietf:params:oauth:grant-type:jwt-bearer"); formLines(form) != strings.TrimPrefix(want, "=\n") {
				t.Errorf("body\n%s\nwant\n%s", formLines(form), want)
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
}

func TestPrivateKeyJWT(t *testing.T) {
	keys := newTestKeys(t)
	h := newFakeServer(t, respond(200, goodToken))
	c := h.config(t, `"token_auth":"private_key_jwt","jwt":{"key":"{private_key}","key_id":"k2","algorithm":"ES256","issuer":"somebody else"}`, keyParams)
	c.Values = map[string]secret.String{"private_key": secret.New(keys.ecSEC1)}
	if _, err := refresh(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	form := formOf(h.requests()[0].body)
	header, claims := verifyJWT(t, form.Get("client_assertion"), keys.ec)
	form.Del("client_assertion")
	if want := "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer\nclient_id=id\ngrant_type=refresh_token\nrefresh_token=the-refresh"; formLines(form) != want {
		t.Errorf("body\n%s\nwant\n%s", formLines(form), want)
	}
	if header["kid"] != "k2" || header["alg"] != "ES256" || claims["iss"] != "id" || claims["sub"] != "id" || claims["aud"] != h.URL+"/token" {
		t.Errorf("%v %v", header, claims)
	}
	// Client credentials need no secret then.
	c.Client.Secret = secret.String{}
	if _, err := c.ClientCredentials(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestUnusableKeys(t *testing.T) {
	keys := newTestKeys(t)
	for name, test := range map[string]struct{ key, algorithm string }{
		"not PEM":           {"PRIVATE KEY----- hush-secret", "RS256"},
		"two keys":          {keys.rsaPKCS8 + keys.ecSEC1, "RS256"},
		"encrypted":         {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "RS256"},
		"not a key":         {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "RS256"},
		"RSA for ES256":     {keys.rsaPKCS8, "ES256"},
		"EC for RS256":      {keys.ecSEC1, "RS256"},
		"P-384 for ES256":   {keys.p384SEC1, "ES256"},
		"unknown algorithm": {keys.rsaPKCS8, "none"},
	} {
		h := newFakeServer(t, respond(200, goodToken))
		c := h.config(t, `"jwt":{"key":"{private_key}"}`, keyParams)
		c.Definition.OAuth.JWT.Algorithm = test.algorithm
		c.Values = map[string]secret.String{"private_key": secret.New(test.key)}
		if _, err := c.JWTBearer(t.Context(), nil); err == nil || len(h.requests()) != 0 {
			t.Errorf("%s: error %v, %d requests", name, err, len(h.requests()))
		} else {
			noSecrets(t, err)
		}
	}
}
