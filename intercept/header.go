package intercept

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/authsome/authsome/providers"
)

// connectionOptions returns the fields that the Connection header lists, which
// belong to one connection (RFC 9110 section 7.6.1). They are removed before a
// credential is put in, so that a client cannot use them to remove the credential.
func connectionOptions(h http.Header) []string {
	var names []string
	for _, value := range h["Connection"] {
		for option := range strings.SplitSeq(value, ",") {
			if option = textproto.TrimString(option); option != "" && !strings.EqualFold(option, "connection") {
				names = append(names, textproto.CanonicalMIMEHeaderKey(option))
			}
		}
	}
	return names
}

// ownHeaders is how the names of the proxy's own response headers begin.
const ownHeaders = "X-Authsome-"

// fromUpstream reports whether a response header is passed on to the client: what
// belongs to the upstream's connection is not, Alt-Svc is not, since it could lead the
// client around the proxy, and an upstream cannot answer in the proxy's name.
func fromUpstream(name string) bool {
	return !hopByHop[name] && name != "Alt-Svc" && !strings.HasPrefix(name, ownHeaders)
}

// trailerFromUpstream reports whether a response trailer is passed on. What frames,
// routes or authenticates a message is never a trailer (RFC 9110 section 6.5.1).
func trailerFromUpstream(name string) bool {
	return fromUpstream(name) && httpguts.ValidTrailerHeader(name)
}

// hasToken returns a function that reports whether a comma-separated field value
// has the token, in any case, with or without parameters.
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
// the only upgrade that is passed on: after an upgrade to h2c, requests would not be
// checked any more.
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

// carriesPlaceholder reports whether what would be sent has a placeholder in a
// header value (Basic credentials are decoded), the path or the query.
func carriesPlaceholder(r *http.Request) bool {
	for _, values := range r.Header {
		for _, v := range values {
			if providers.ValueHasPlaceholder(v) {
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
	// Each on its own: a parameter that cannot be decoded must not hide the others.
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if decoded, err := url.QueryUnescape(parameter); err == nil && providers.HasPlaceholder(decoded) {
			return true
		}
	}
	return false
}
