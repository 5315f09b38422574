package intercept

import (
	"encoding/base64"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/authsome/authsome/providers"
)

// connectionOptions are the fields that Connection names as belonging to one
// connection. They are taken out before a credential is put in, so that a client
// cannot have the credential removed again.
func connectionOptions(h http.Header) []string {
	var names []string
	for _, value := range h["Connection"] {
		for option := range strings.SplitSeq(value, ",") {
			if option = textproto.TrimString(option); option != "" {
				names = append(names, textproto.CanonicalMIMEHeaderKey(option))
			}
		}
	}
	return names
}

// hasToken reports whether a comma-separated field value has a token, in any
// case, with or without parameters.
func hasToken(token string) func(string) bool {
	return func(value string) bool {
		for part := range strings.SplitSeq(value, ",") {
			part, _, _ = strings.Cut(part, ";")
			if strings.EqualFold(textproto.TrimString(part), token) {
				return true
			}
		}
		return false
	}
}

// websocketUpgrade reports whether r asks for a WebSocket (RFC 6455 section 4.1),
// the one upgrade that is let through: h2c would leave the rules behind.
func websocketUpgrade(r *http.Request) bool {
	if r.ProtoMajor != 1 || len(r.Header["Upgrade"]) != 1 || !strings.EqualFold(r.Header["Upgrade"][0], "websocket") {
		return false
	}
	for _, value := range r.Header["Connection"] {
		if hasToken("upgrade")(value) {
			return true
		}
	}
	return false
}

// carriesPlaceholder looks for a placeholder in what would be sent: header
// values (Basic credentials decoded) and the query.
func carriesPlaceholder(r *http.Request) bool {
	for _, values := range r.Header {
		for _, v := range values {
			if providers.HasPlaceholder(v) || basicHasPlaceholder(v) {
				return true
			}
		}
	}
	if providers.HasPlaceholder(r.URL.RawQuery) || providers.HasPlaceholder(r.URL.Path) {
		return true
	}
	if strings.IndexByte(r.URL.RawQuery, '%') < 0 {
		return false
	}
	// One by one: a parameter that cannot be decoded must not hide the others.
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if decoded, err := url.QueryUnescape(parameter); err == nil && providers.HasPlaceholder(decoded) {
			return true
		}
	}
	return false
}

func basicHasPlaceholder(value string) bool {
	const scheme = "basic "
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value[len(scheme):]))
	return err == nil && providers.HasPlaceholder(string(decoded))
}
