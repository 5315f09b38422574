package intercept

import "net/http"

// replay handles a 401: it has the credential renewed and, if the body was kept,
// sends the request again with the new credential: what was read of the body, and
// then the rest of it as the client sends it. It does not handle 403, which
// another token does not fix (RFC 6750 section 3.1).
//
// It returns the second response and updates c.out and c.applied, or it returns the
// refused response if it cannot send the request again. The client's next request
// then uses the new credential.
func (c *call) replay(refused *http.Response) *http.Response {
	p, x := c.proxy, &c.exchange
	if !p.Credentials.Renew(c.r.Context(), x.Provider, x.Connection, c.applied.Mark) || c.tries.exhausted() {
		return refused
	}
	second := outgoing(c.r, c.upstreamURL())
	if c.out.Body != http.NoBody {
		if !c.body.keeps {
			return refused
		}
		second.Body, second.GetBody = c.body.reader(), c.again
	}
	renewed, err := p.Credentials.Apply(c.r.Context(), second, x.Provider, x.Connection)
	if err != nil || carriesPlaceholder(second) {
		return refused
	}
	response, err := c.send(second)
	if err != nil {
		p.Log.Info("no response from upstream to a request with a renewed credential", "host", c.target.Host, "port", c.target.Port,
			"provider", x.Provider, "err", loggable(err))
		return refused
	}
	refused.Body.Close()
	x.Replayed = true
	c.out, c.applied = second, renewed
	return response
}
