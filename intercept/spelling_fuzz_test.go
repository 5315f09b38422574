package intercept

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever a client's header is called, no header leaves that a CGI server reads as one
// that frames or routes the message, unless it is that header itself.
func FuzzDisguisedHeader(f *testing.F) {
	for _, name := range []string{"Content_Length", "Content-Length", "X_Key", "transfer.encoding", "Host", "hOST", "X-Own", "_", "Proxy_Connection"} {
		f.Add(name)
	}
	never := []string{"CONTENT_LENGTH", "TRANSFER_ENCODING", "HOST", "CONNECTION", "KEEP_ALIVE", "UPGRADE", "TRAILER"}
	cgi := func(name string) string {
		return strings.Map(func(c rune) rune {
			if 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
				return c
			}
			return '_'
		}, strings.ToUpper(name))
	}
	f.Fuzz(func(t *testing.T, name string) {
		r := &http.Request{Method: "GET", Header: http.Header{}, Body: http.NoBody}
		r.Header.Set(name, "1")
		for sent := range outgoing(r, &url.URL{Path: "/"}).Header {
			for _, framing := range never {
				if cgi(sent) == framing && !strings.EqualFold(strings.ReplaceAll(sent, "-", "_"), framing) {
					t.Errorf("%q leaves as %q", name, sent)
				}
			}
		}
	})
}
