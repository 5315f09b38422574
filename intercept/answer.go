package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/routing"
)

// Code is the machine-readable reason of an answer given by the proxy itself,
// also sent as X-Authsome-Error.
type Code string

const (
	CodeProxyAuthRequired   Code = "proxy_auth_required"
	CodeNotYourProxy        Code = "not_your_proxy"
	CodeHostDenied          Code = "host_denied"
	CodePrivateTarget       Code = "private_target"
	CodeLoginRequired       Code = "login_required"
	CodeRouteAmbiguous      Code = "route_ambiguous"
	CodeHTTPSRequired       Code = "https_required"
	CodePlaceholder         Code = "placeholder_refused"
	CodeAuthorityMismatch   Code = "authority_mismatch"
	CodeBadRequest          Code = "bad_request"
	CodeRefreshUnavailable  Code = "refresh_unavailable"
	CodeVaultUnavailable    Code = "vault_unavailable"
	CodeAuditUnavailable    Code = "audit_unavailable"
	CodeUpstreamUnreachable Code = "upstream_unreachable"
	CodeUpstreamTLS         Code = "upstream_tls"
	CodeUpstreamTimeout     Code = "upstream_timeout"
)

// ErrorHeader carries the [Code] of an answer the proxy gave by itself.
const ErrorHeader = "X-Authsome-Error"

// Refusal is an answer the proxy gives by itself. It is an error, so that
// [Credentials] can return one. None of its texts may hold a secret or what an
// upstream or a library said: those go to the log.
type Refusal struct {
	Status     int
	Code       Code
	Message    string
	Provider   string
	Connection string
	Fix        string // the command that mends it
	RetryAfter int    // seconds; 0 sends no Retry-After
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

type answerBody struct {
	Error struct {
		Code       Code   `json:"code"`
		Message    string `json:"message"`
		Provider   string `json:"provider,omitempty"`
		Connection string `json:"connection,omitempty"`
		Fix        string `json:"fix,omitempty"`
	} `json:"error"`
}

func (r *Refusal) json() []byte {
	var body answerBody
	e := &body.Error
	e.Code, e.Message, e.Provider, e.Connection, e.Fix = r.Code, r.Message, r.Provider, r.Connection, r.Fix
	b, err := json.Marshal(body)
	if err != nil {
		// The fields are our own strings; only invalid UTF-8 in a name could fail.
		b = []byte(`{"error":{"code":"` + string(r.Code) + `"}}`)
	}
	return append(b, '\n')
}

// write answers a request on one of our servers.
func (r *Refusal) write(w http.ResponseWriter) {
	h := w.Header()
	body := r.json()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	r.headers(h)
	w.WriteHeader(r.Status)
	w.Write(body)
}

func (r *Refusal) headers(h http.Header) {
	h.Set(ErrorHeader, string(r.Code))
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(r.RetryAfter))
	}
	if r.Status == http.StatusProxyAuthRequired {
		h.Set("Proxy-Authenticate", `Basic realm="authsome"`)
	}
}

// response answers a CONNECT: a line of plain text, since clients show little
// else of it. The connection closes, but for a 407, whose second try comes on
// the same one.
func (r *Refusal) response(request *http.Request) *http.Response {
	text := r.Message
	if r.Fix != "" {
		text += "; " + r.Fix
	}
	text = "authsome: " + text + "\n"
	h := http.Header{}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	r.headers(h)
	return &http.Response{
		StatusCode: r.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)),
		Request: request, Close: r.Status != http.StatusProxyAuthRequired,
	}
}

func hostDenied(host string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeHostDenied,
		Message: host + " is no route of a connected provider, and others are denied (--unmatched deny)"}
}

// refusal turns a decision into the answer it stands for.
func refusal(d routing.Decision, host string) *Refusal {
	r := &Refusal{Status: http.StatusForbidden, Provider: d.Provider, Connection: d.Connection}
	switch d.Reason {
	case routing.LoginRequired:
		message := "the " + d.Provider + " connection " + d.Connection + " needs a new login"
		if d.Problem != "" {
			message += ": " + d.Problem
		}
		return LoginRequired(d.Provider, d.Connection, message)
	case routing.RouteAmbiguous:
		r.Code, r.Message = CodeRouteAmbiguous, "more than one connection fits: "+strings.Join(d.Choices, ", ")
		r.Fix = "start with --provider " + d.Choices[0]
		if provider, connection, ok := strings.Cut(d.Choices[0], "="); ok && strings.HasPrefix(d.Choices[len(d.Choices)-1], provider+"=") {
			r.Fix = fmt.Sprintf("authsome default %s %s, or start with --provider %s", provider, connection, d.Choices[0])
		}
	case routing.HTTPSRequired:
		r.Code, r.Message = CodeHTTPSRequired, "credentials for "+host+" travel over https only"
		r.Fix = "use https://" + host
	case routing.HostDenied:
		return hostDenied(host)
	default:
		r.Status, r.Code = http.StatusBadRequest, CodeBadRequest
		r.Message = "the path can be read in more than one way; send it without dot segments, semicolons, doubled slashes and encoded slashes"
	}
	return r
}

// LoginRequired is the answer for a connection that only the user can mend.
func LoginRequired(provider, connection, message string) *Refusal {
	fix := "authsome login " + provider
	if connection != "" && connection != "default" {
		fix += " --connection " + connection
	}
	return &Refusal{Status: http.StatusForbidden, Code: CodeLoginRequired, Provider: provider, Connection: connection, Message: message, Fix: fix + " --force"}
}

// dialRefusal answers for an upstream that could not be reached.
func dialRefusal(t Target, err error) *Refusal {
	if blocked, ok := errors.AsType[*blockedError](err); ok {
		return &Refusal{Status: http.StatusForbidden, Code: CodePrivateTarget, Message: t.String() + ": " + blocked.reason}
	}
	r := &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Message: t.String() + " cannot be reached"}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		r.Message = t.Host + " has no address"
	}
	return r
}

// upstreamRefusal answers for a request that got no response.
func upstreamRefusal(t Target, err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, dial := errors.AsType[*net.OpError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case certificate || record || alert:
		return &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamTLS,
			Message: "TLS with " + t.String() + " failed, and the credential was not sent; the proxy's log says why",
			Fix:     "for a private authority, start with --upstream-ca FILE"}
	case isNet && timeout.Timeout() && !dial && !errors.Is(err, context.DeadlineExceeded):
		return &Refusal{Status: http.StatusGatewayTimeout, Code: CodeUpstreamTimeout, Message: t.String() + " sent no response head in time (--response-timeout)"}
	}
	return dialRefusal(t, err)
}

// cause is what the log may have of an error: what helps to mend it, and nothing
// that the upstream said, which may be the request over again.
func cause(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*Refusal](err); ok {
		return e
	}
	if e, ok := errors.AsType[*blockedError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if e, ok := errors.AsType[tls.AlertError](err); ok {
		return e
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("tls: " + e.Msg)
	}
	if e, ok := errors.AsType[net.Error](err); ok { // of dialling, resolving and waiting
		return e
	}
	return errors.New("the answer is malformed, or the connection broke")
}
