package intercept

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// serveIntercepted answers one request on a connection whose TLS ended here.
func (p *Proxy) serveIntercepted(w http.ResponseWriter, r *http.Request) {
	t := *r.Context().Value(targetKey{}).(*Target)
	x := Exchange{Kind: KindRequest, Host: t.Host, Port: t.Port, Method: r.Method, Path: r.URL.Path, Start: time.Now()}
	defer p.finish(&x)
	if refused := checkRequest(r, t); refused != nil {
		p.refuse(w, &x, refused)
		return
	}
	if t.isSelf() {
		x.Status = http.StatusOK
		serveSelf(w)
		return
	}
	d := p.Routes().Request(r.Method, t.Host, t.Port, r.URL.EscapedPath())
	x.Reason, x.Provider, x.Connection = d.Reason, d.Provider, d.Connection
	if d.Path != "" {
		x.Path = d.Path
	}
	for _, method := range overrides(r.Header) {
		if o := p.Routes().Request(method, t.Host, t.Port, r.URL.EscapedPath()); tracing(method) || o.Action != d.Action || o.Provider != d.Provider {
			p.refuse(w, &x, &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest,
				Message: "the request names another method in a header, and it matters here; send it with that method"})
			return
		}
	}
	if d.Action == routing.Refuse {
		p.refuse(w, &x, refusal(d, t.Host))
		return
	}
	out := outgoing(r, upstreamURL(r, t))
	key := "" // requests without a credential share one transport
	var applied Applied
	if d.Action == routing.Inject {
		var err error
		switch applied, err = p.Credentials.Apply(r.Context(), out, d.Provider, d.Connection); {
		case errors.Is(err, providers.ErrUnsigned):
			x.Reason, applied = routing.Unsigned, Applied{}
		case err != nil:
			p.refuse(w, &x, p.credentialRefusal(d, err))
			return
		default:
			x.Injected = true
			key = d.Provider + "\x00" + d.Connection
		}
	}
	if carriesPlaceholder(out) {
		x.Injected = false
		p.refuse(w, &x, &Refusal{Status: http.StatusForbidden, Code: CodePlaceholder, Provider: d.Provider, Connection: d.Connection,
			Message: "the request carries a placeholder where no credential of " + t.Host + " belongs, so it was not sent",
			Fix:     "authsome why https://" + t.authority() + r.URL.EscapedPath()})
		return
	}
	p.roundTrip(w, r, out, p.upstream.transport(key), t, applied, &x)
}

// upstreamURL is where a request goes: its path and query, at the authority of
// its connection.
func upstreamURL(r *http.Request, t Target) *url.URL {
	return &url.URL{Scheme: "https", Host: t.authority(), Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
}

// overrides are the methods that some servers take in place of a request's own.
func overrides(h http.Header) []string {
	var all []string
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		for _, method := range h[name] {
			all = append(all, strings.ToUpper(strings.TrimSpace(method)))
		}
	}
	return all
}

// tracing reports whether a method's answer is the request as it arrived, and so
// the credential. TRACK is what some servers call it; some do not mind the case.
func tracing(method string) bool {
	return strings.EqualFold(method, http.MethodTrace) || strings.EqualFold(method, "TRACK")
}

// checkRequest holds a request to the authority of its connection.
func checkRequest(r *http.Request, t Target) *Refusal {
	bad := func(message string) *Refusal {
		return &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: message}
	}
	switch {
	case r.Method == http.MethodConnect:
		return bad("CONNECT inside a tunnel")
	case tracing(r.Method):
		return bad("TRACE is not forwarded")
	case r.URL.Host != "" || r.URL.Scheme != "" || r.URL.Opaque != "":
		return bad("absolute URL inside a tunnel")
	case len(r.RequestURI) == 0 || r.RequestURI[0] != '/':
		return bad("request target is not a path")
	case !t.agrees(r.Host):
		return &Refusal{Status: http.StatusMisdirectedRequest, Code: CodeAuthorityMismatch, Message: "the request names another host or port than its tunnel to " + t.String()}
	}
	return nil
}

func (p *Proxy) credentialRefusal(d routing.Decision, err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	p.Log.Error("credential not available", "provider", d.Provider, "connection", d.Connection, "err", err)
	return LoginRequired(d.Provider, d.Connection, "the credential of "+d.Provider+" cannot be used; the proxy's log says why")
}

// hopByHop are the header fields that belong to one connection (RFC 9110
// section 7.6.1), in canonical form.
var hopByHop = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Http2-Settings": true,
}

// outgoing is the request for the upstream: the client's, less what belongs to
// the client's connection. Request trailers are not passed on: they would arrive
// after every check, and nothing that APIs use has them.
func outgoing(r *http.Request, u *url.URL) *http.Request {
	h := make(http.Header, len(r.Header)+2)
	for name, values := range r.Header {
		if !hopByHop[name] {
			h[name] = values
		}
	}
	for _, name := range connectionOptions(r.Header) {
		delete(h, name)
	}
	if slices.ContainsFunc(r.Header["Te"], hasToken("trailers")) {
		h["Te"] = []string{"trailers"} // gRPC servers insist on it
	}
	if websocketUpgrade(r) {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // or net/http adds its own
	}
	out := &http.Request{
		Method: r.Method, URL: u, Host: u.Host, Header: h, Body: r.Body, ContentLength: r.ContentLength,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}

func (p *Proxy) refuse(w http.ResponseWriter, x *Exchange, r *Refusal) {
	x.Code, x.Status = r.Code, r.Status
	if r.Provider != "" {
		x.Provider, x.Connection = r.Provider, r.Connection
	}
	if arguments, ours := strings.CutPrefix(r.Fix, "authsome "); ours && p.Profile != "" {
		named := *r
		named.Fix = "authsome --profile " + p.Profile + " " + arguments
		r = &named
	}
	r.write(w)
}

// finish tells about a request once its handler has returned, however it did.
func (p *Proxy) finish(x *Exchange) {
	x.Duration = time.Since(x.Start)
	if v := recover(); v != nil {
		x.Aborted = true
		p.Record(*x)
		panic(v) // net/http closes the connection; its log line goes through ours
	}
	p.Record(*x)
}

// canceled reports whether the client gave the request up.
func canceled(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }
