package flows_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
)

// planted are the secrets that the tests send or receive.
var planted = []string{
	"hush-secret", "the-code", "the-refresh", "the-access", verifier, "the-state", "rotated-refresh", "rotated-access", "lost-access", "device-secret",
	"registration-secret", "hush-client", "PRIVATE KEY-----",
}

// wantError checks that err is target and contains no secret.
func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
	noSecrets(t, err)
}

// wantTokenError checks that err is a TokenError of a kind and contains no secret.
func wantTokenError(t *testing.T, err error, kind flows.Kind, code string) *flows.TokenError {
	t.Helper()
	noSecrets(t, err)
	e, ok := errors.AsType[*flows.TokenError](err)
	if !ok {
		t.Fatalf("error %T %v, want a TokenError", err, err)
	}
	if e.Kind != kind || e.Code != code {
		t.Errorf("%v, code %q (%v); want %v, code %q", e.Kind, e.Code, err, kind, code)
	}
	return e
}

// noSecrets checks every way to print an error and the errors that it wraps.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	if s := leaked(err); s != "" {
		t.Errorf("an error contains %q: %#v", s, err)
	}
}

// leaked returns the first secret that err contains, or "".
func leaked(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		text := fmt.Sprintf("%v\n%+v\n%#v", err, err, err)
		if e, ok := err.(*flows.TokenError); ok {
			text += fmt.Sprintf("\n%#v %s", *e, e.Description)
		}
		for _, p := range planted {
			for _, spelling := range []string{p, url.QueryEscape(p), base64.StdEncoding.EncodeToString([]byte(p)), hex.EncodeToString([]byte(p))} {
				if strings.Contains(text, spelling) {
					return p
				}
			}
		}
	}
	return ""
}

func TestLeakedFindsSecrets(t *testing.T) {
	for _, err := range []error{
		errors.New("x the-refresh y"),
		fmt.Errorf("refresh: %w", &flows.TokenError{Kind: flows.Permanent, Description: "used: the-refresh"}),
		&url.Error{Op: "Post", URL: "https://x/?code=the-code", Err: errors.New("eof")},
	} {
		if leaked(err) == "" {
			t.Errorf("nothing found in %v", err)
		}
	}
}
