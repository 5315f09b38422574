package intercept

import (
	"net/http"
	"strconv"
	"strings"
)

// maxWhole is the size up to which a text is fetched as a whole, in bytes. An answer
// that repeats a request is smaller.
const maxWhole = 1 << 20

// whole handles a response that is a range of a text. A client could ask for ranges
// that each end within a secret, so it gets the whole text, which servers may send in
// answer to every Range (RFC 9110 section 14.2). Ranges of other media types, and of
// larger texts, are passed on.
func (c *call) whole(partial *http.Response) (*http.Response, *Refusal) {
	if c.applied.Injection == nil || !asksForRange(c.out.Header) || !hasBody(c.r, partial) || !cutText(partial) || !c.applied.Injection.Mask().Bodies() {
		return partial, nil
	}
	partial.Body.Close()
	impossible := badRequest("a part of a text cannot be searched for the credential; send the request without Range")
	if c.r.Method != http.MethodGet || c.out.Body != http.NoBody {
		return nil, impossible
	}
	again := outgoing(c.r, c.upstreamURL())
	for _, name := range rangeFields {
		delete(again.Header, name)
	}
	applied, err := c.proxy.Credentials.Apply(c.r.Context(), again, c.exchange.Provider, c.exchange.Connection)
	if err != nil || carriesPlaceholder(again) {
		return nil, impossible
	}
	response, err := c.send(again)
	if err != nil {
		c.proxy.Log.Info("no response from upstream to a request without its range", "host", c.target.Host, "port", c.target.Port,
			"provider", c.exchange.Provider, "err", loggable(err))
		return nil, upstreamRefusal(c.target, err, c.tries.reached())
	}
	c.out, c.applied = again, applied
	if cutText(response) {
		response.Body.Close()
		return nil, impossible
	}
	return response, nil
}

// rangeFields are the fields that ask for a range.
var rangeFields = []string{"Range", "If-Range", "X-Ms-Range"}

func asksForRange(h http.Header) bool {
	for _, name := range rangeFields {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// cutText reports whether a response has some bytes of a text, and not too many in
// all. Services use status 206 for pages of a list too, with another unit; these are
// not cut within a value.
func cutText(response *http.Response) bool {
	if response.StatusCode != http.StatusPartialContent || !isText(response.Header["Content-Type"]) {
		return false
	}
	unit, span, _ := strings.Cut(strings.TrimSpace(response.Header.Get("Content-Range")), " ")
	_, total, _ := strings.Cut(span, "/")
	n, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
	return (unit == "" || strings.EqualFold(unit, "bytes")) && (err != nil || n <= maxWhole)
}
