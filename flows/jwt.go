package flows

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// assertionLife is short: an assertion is used at once, and Salesforce takes
	// none that lives for longer than this.
	assertionLife = 3 * time.Minute
	// assertionSkew is how far the provider's clock may be behind ours.
	assertionSkew = 30 * time.Second
)

// JWTBearer asks for a token with an assertion signed by the user's key (RFC
// 7523 section 2.1), as Google's service accounts do. There is no refresh token:
// it is asked for again.
func (c *Config) JWTBearer(ctx context.Context, scopes []string) (Token, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return Token{}, err
	}
	j := c.Definition.OAuth.JWT
	if j == nil {
		return Token{}, fmt.Errorf("%s: no oauth.jwt: %w", c.Definition.Name, ErrUnsupported)
	}
	claims, err := c.claims(j.Issuer, j.Subject)
	if err != nil {
		return Token{}, err
	}
	// Google reads the scope in the assertion, RFC 7521 section 4.1 has it beside.
	if asked := c.allowed(scopes); len(asked) > 0 {
		claims["scope"] = joinScopes(c.Definition.OAuth, asked)
	}
	assertion, err := c.sign(claims)
	if err != nil {
		return Token{}, err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	return c.grant(ctx, form, scopes)
}

// clientAssertion authenticates the client with its key (RFC 7523 section 2.2).
func (c *Config) clientAssertion(form url.Values) error {
	if c.Definition.OAuth.JWT == nil {
		return fmt.Errorf("%s: no oauth.jwt: %w", c.Definition.Name, ErrUnsupported)
	}
	claims, err := c.claims("{client_id}", "{client_id}")
	if err != nil {
		return err
	}
	assertion, err := c.sign(claims)
	if err != nil {
		return err
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	return nil
}

// claims are those of an assertion. issuer and subject are templates; an absent
// issuer is the client.
func (c *Config) claims(issuer, subject string) (map[string]any, error) {
	j := c.Definition.OAuth.JWT
	claims := make(map[string]any)
	add := func(name, template string) error {
		text, err := c.expandOptional("oauth.jwt."+name, template)
		if err == nil && text != "" {
			claims[name] = text
		}
		return err
	}
	if err := add("iss", orDefault(issuer, "{client_id}")); err != nil {
		return nil, err
	}
	if err := add("sub", subject); err != nil {
		return nil, err
	}
	if err := add("aud", j.Audience); err != nil {
		return nil, err
	}
	if j.Audience == "" {
		e, err := c.tokenEndpoint()
		if err != nil {
			return nil, err
		}
		claims["aud"] = e.url.String()
	}
	now := c.now()
	claims["iat"] = now.Add(-assertionSkew).Unix()
	claims["exp"] = now.Add(assertionLife).Unix()
	claims["jti"] = rand.Text()
	for _, name := range slices.Sorted(maps.Keys(j.Claims)) {
		if err := add(name, j.Claims[name]); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

func (c *Config) sign(claims map[string]any) (string, error) {
	j := c.Definition.OAuth.JWT
	key, err := c.expand("oauth.jwt.key", j.Key)
	if err != nil {
		return "", err
	}
	keyID, err := c.expandOptional("oauth.jwt.key_id", j.KeyID)
	if err != nil {
		return "", err
	}
	signer, err := parseKey(key)
	if err != nil {
		return "", fmt.Errorf("%s: the private key: %w", c.Definition.Name, err)
	}
	assertion, err := signJWT(signer, orDefault(j.Algorithm, "RS256"), keyID, claims)
	if err != nil {
		return "", fmt.Errorf("%s: sign the assertion: %w", c.Definition.Name, err)
	}
	return assertion, nil
}

// parseKey reads a PEM block: PKCS #8, or what older tools write. Line breaks
// that were escaped on the way through a variable or a form are put back. Its
// errors hold nothing of the text.
func parseKey(text string) (crypto.Signer, error) {
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM text")
	}
	if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["Proc-Type"] != "" {
		return nil, errors.New("it is encrypted; decrypt it first")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("not an RSA or EC private key")
}

// signJWT makes a compact JWS (RFC 7515) with RS256 or ES256.
func signJWT(key crypto.Signer, algorithm, keyID string, claims map[string]any) (string, error) {
	header := map[string]any{"alg": algorithm, "typ": "JWT"}
	if keyID != "" {
		header["kid"] = keyID
	}
	var parts []string
	for _, part := range []any{header, claims} {
		b, err := json.Marshal(part, json.Deterministic(true))
		if err != nil {
			return "", errors.New("the claims cannot be written as JSON")
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	input := strings.Join(parts, ".")
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if algorithm != "RS256" {
			return "", fmt.Errorf("an RSA key does not sign %s", algorithm)
		}
		var err error
		if signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
			return "", errors.New("the RSA key is not fit to sign")
		}
	case *ecdsa.PrivateKey:
		if algorithm != "ES256" || key.Curve != elliptic.P256() {
			return "", fmt.Errorf("an EC key on %s does not sign %s", key.Curve.Params().Name, algorithm)
		}
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return "", errors.New("the EC key is not fit to sign")
		}
		// RFC 7518 section 3.4: the two numbers, 32 octets each.
		signature = make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
	default:
		return "", fmt.Errorf("a key of this kind does not sign %s", algorithm)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
