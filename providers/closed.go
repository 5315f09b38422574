package providers

import (
	"fmt"
	"slices"
	"strings"
)

// closedSet returns the values that a member can have, or nil if it can have any.
// Validation and the published schema both use it. Field has no indexes.
func closedSet(field string) []string {
	switch field {
	case "flows", "oauth.app_steps.flow":
		return []string{FlowAPIKey, FlowPKCE, FlowDeviceCode, FlowDCRPKCE, FlowClientCredentials, FlowJWTBearer}
	case "category":
		return Categories[:]
	case "inject.in":
		return []string{InHeader, InQuery, InBasic, InPath, InSigV4}
	case "scrub":
		return []string{scrubOff}
	case "verify.method":
		return []string{"GET", "POST", "HEAD", "PUT"}
	case "oauth.discovery":
		return []string{"issuer", "resource"}
	case "oauth.pkce":
		return []string{"S256", "off"}
	case "oauth.client_secret":
		return []string{"required", "optional", "none"}
	case "oauth.token_auth":
		return []string{"post", "basic", "basic_raw", "none", "private_key_jwt"}
	case "oauth.token_body":
		return []string{"form", "json"}
	case "oauth.device_client":
		return []string{"required", "optional", "none"}
	case "oauth.device_token_body":
		return []string{"json"}
	case "oauth.redirect.host":
		return []string{"127.0.0.1", "localhost"}
	case "oauth.revocation.method":
		return []string{"POST", "DELETE", "GET", "PUT"}
	case "oauth.revocation.auth":
		return []string{"client", "bearer", "none"}
	case "oauth.revocation.body":
		return []string{"form", "json", "none"}
	case "oauth.revocation.tokens":
		return []string{"refresh_token", "access_token"}
	case "oauth.jwt.algorithm":
		return []string{"RS256", "ES256"}
	}
	return nil
}

// withoutIndexes removes the indexes from the path of a member.
func withoutIndexes(field string) string {
	for {
		before, rest, ok := strings.Cut(field, "[")
		if !ok {
			return field
		}
		_, after, _ := strings.Cut(rest, "]")
		field = before + after
	}
}

// oneOf checks that text is one of the values of its member.
func oneOf(field, text string) error {
	set := closedSet(withoutIndexes(field))
	if slices.Contains(set, text) {
		return nil
	}
	e := &FieldError{field, fmt.Sprintf("unknown value %q", text), "use one of " + strings.Join(set, ", ")}
	if text == "" {
		e.Reason = "missing"
	}
	return e
}

// optionalOneOf is [oneOf] for a member that may be absent.
func optionalOneOf(field, text string) error {
	if text == "" {
		return nil
	}
	return oneOf(field, text)
}
