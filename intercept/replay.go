package intercept

import (
	"bytes"
	"io"
	"net/http"
)

// replayLimit bounds the request bodies that are kept until the upstream's answer
// to them is known. Larger ones, and those of unknown length, are streams: they
// pass through and are not sent twice.
const replayLimit = 64 << 10

// replay is what to do about a 401: have the credential renewed, and send the
// request again with the new one if its body can be had again. It returns what
// was sent last, the response to it, and the credential that was on it. RFC 6750
// section 3.1 has 403 for what another token does not mend.
//
// The response is the old one where anything goes wrong; where the body is gone,
// the client's next request has the new credential.
func (p *Proxy) replay(r, out *http.Request, refused *http.Response, via http.RoundTripper, t Target, applied Applied, sent *countingBody, x *Exchange) (*http.Request, *http.Response, Applied) {
	if !p.Credentials.Renew(r.Context(), x.Provider, x.Connection, applied.Mark) {
		return out, refused, applied
	}
	again := outgoing(r, upstreamURL(r, t)).WithContext(out.Context())
	if out.Body != http.NoBody {
		body, whole := sent.whole(out.ContentLength)
		if !whole {
			return out, refused, applied
		}
		again.Body = body
	}
	renewed, err := p.Credentials.Apply(r.Context(), again, x.Provider, x.Connection)
	if err != nil || carriesPlaceholder(again) {
		return out, refused, applied
	}
	response, err := via.RoundTrip(again)
	if err != nil {
		p.Log.Info("no response from upstream to a request with a renewed credential", "host", t.Host, "port", t.Port, "provider", x.Provider, "err", cause(err))
		return out, refused, applied
	}
	refused.Body.Close()
	x.Replayed = true
	return again, response, renewed
}

// keep has a body of that length remembered as it is read, if it is a small one.
func (b *countingBody) keep(length int64) {
	if 0 < length && length <= replayLimit {
		b.kept = make([]byte, 0, length)
	}
}

// whole is the body to send again, if all of it was read and kept.
func (b *countingBody) whole(length int64) (io.ReadCloser, bool) {
	if b.count() != length || int64(len(b.kept)) != length {
		return nil, false
	}
	return io.NopCloser(bytes.NewReader(b.kept)), true
}
