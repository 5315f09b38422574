package flows

import (
	"bytes"
	"cmp"
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
	// assertionLife is how long an assertion is valid. It is used at once, and Salesforce
	// refuses assertions with a longer life.
	assertionLife = 3 * time.Minute
	// assertionSkew is how far the provider's clock may be behind ours.
	assertionSkew = 30 * time.Second
)

// JWTBearer requests a token with an assertion that the user's key signs (RFC 7523 section
// 2.1), as for Google's service accounts. It has no refresh token: call JWTBearer again for
// the next token.
func (c *Config) JWTBearer(ctx context.Context, scopes []string) (Token, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return Token{}, err
	}
	j := c.Definition.OAuth.JWT
	if j == nil {
		return Token{}, fmt.Errorf("%s: no oauth.jwt: %w", c.Definition.Name, errUnsupported)
	}
	claims, err := c.claims(j.Issuer, j.Subject)
	if err != nil {
		return Token{}, err
	}
	// Google reads the scope in the assertion; RFC 7521 section 4.1 has it in the form.
	if requested := c.RequestedScopes(scopes); len(requested) > 0 {
		claims["scope"] = joinScopes(c.Definition.OAuth, requested)
	}
	assertion, err := c.sign(claims)
	if err != nil {
		return Token{}, err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	return c.grantWithoutUser(ctx, form, scopes)
}

// clientAssertion authenticates the client with its key (RFC 7523 section 2.2).
func (c *Config) clientAssertion(form url.Values) error {
	if c.Definition.OAuth.JWT == nil {
		return fmt.Errorf("%s: no oauth.jwt: %w", c.Definition.Name, errUnsupported)
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

// claims returns the claims of an assertion. issuer and subject are templates. If the
// issuer is empty, it is the client id.
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
	if err := add("iss", cmp.Or(issuer, "{client_id}")); err != nil {
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

// sign returns an assertion with the claims, signed with the definition's key.
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
	assertion, err := signJWT(signer, cmp.Or(j.Algorithm, "RS256"), keyID, claims)
	if err != nil {
		return "", fmt.Errorf("%s: sign the assertion: %w", c.Definition.Name, err)
	}
	return assertion, nil
}

// parseKey reads the one private key of a text in PEM (RFC 7468): PKCS #8, PKCS #1 or
// SEC 1. It restores line breaks that a variable or a form has escaped as \n. Its errors
// contain nothing of the text.
func parseKey(text string) (crypto.Signer, error) {
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	block, rest := pem.Decode([]byte(text))
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes them before the key
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("not in PEM format")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something follows the first PEM block; give the private key alone")
	}
	if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["Proc-Type"] != "" {
		return nil, errors.New("it is encrypted; decrypt it before the login")
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
			return "", fmt.Errorf("an RSA key cannot sign %s", algorithm)
		}
		var err error
		if signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
			return "", errors.New("the RSA key cannot be used to sign")
		}
	case *ecdsa.PrivateKey:
		if algorithm != "ES256" || key.Curve != elliptic.P256() {
			return "", fmt.Errorf("an EC key on %s cannot sign %s", key.Curve.Params().Name, algorithm)
		}
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return "", errors.New("the EC key cannot sign")
		}
		// RFC 7518 section 3.4: both numbers with 32 octets each.
		signature = make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
	default:
		return "", fmt.Errorf("this kind of key cannot sign %s", algorithm)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
