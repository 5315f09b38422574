package providers

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// Presented says what a client put where the credential belongs.
type Presented uint8

// What a client put there.
const (
	PresentedNothing     Presented = iota
	PresentedPlaceholder           // a placeholder of authsome
	PresentedOwn                   // another credential
)

// Presented says what the client put on r in the places that [Injection.Apply] replaces.
// One placeholder is enough to show that the client uses its environment, so it counts
// more than a credential beside it. r must be the request before Apply, to which it can
// be applied.
func (i *Injection) Presented(r *http.Request) Presented {
	found := PresentedNothing
	if len(i.paths) > 0 { // which have something in place of the credential
		if HasPlaceholder(r.URL.Path) {
			return PresentedPlaceholder
		}
		found = PresentedOwn
	}
	for name, values := range r.Header {
		if !i.replacesHeader(name) {
			continue
		}
		for _, value := range values {
			switch {
			case ValueHasPlaceholder(value):
				return PresentedPlaceholder
			case hasCredential(value):
				found = PresentedOwn
			}
		}
	}
	if r.URL.RawQuery == "" || len(i.query) == 0 && len(i.removeQuery) == 0 {
		return found
	}
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if n, removed, err := i.querySlot(parameter); err != nil || n < 0 && !removed {
			continue
		}
		_, escaped, _ := strings.Cut(parameter, "=")
		value, err := url.QueryUnescape(escaped)
		switch {
		case err == nil && HasPlaceholder(value):
			return PresentedPlaceholder
		case value != "":
			found = PresentedOwn
		}
	}
	return found
}

// ValueHasPlaceholder reports whether the value of a header has a placeholder, also in
// Basic credentials (RFC 7617 section 2).
func ValueHasPlaceholder(value string) bool {
	const scheme = "basic "
	if HasPlaceholder(value) {
		return true
	}
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value[len(scheme):]))
	return err == nil && HasPlaceholder(string(decoded))
}

// hasCredential reports whether the value of a header is more than the name of a scheme,
// which clients send alone if they have no key.
func hasCredential(value string) bool {
	switch value = strings.TrimSpace(value); strings.ToLower(value) {
	case "", "bearer", "basic", "token":
		return false
	}
	return true
}
