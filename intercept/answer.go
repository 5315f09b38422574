package intercept

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Code is the machine-readable reason of an answer that the proxy gives itself. It
// is also sent as X-Authsome-Error.
type Code string

// The codes.
const (
	CodeProxyAuthRequired   Code = "proxy_auth_required"
	CodeNotYourProxy        Code = "not_your_proxy"
	CodeHostDenied          Code = "host_denied"
	CodePrivateTarget       Code = "private_target"
	CodeNotAllowed          Code = "not_allowed"
	CodeTargetUnknown       Code = "target_unknown"
	CodeLoginRequired       Code = "login_required"
	CodeRouteAmbiguous      Code = "route_ambiguous"
	CodeHTTPSRequired       Code = "https_required"
	CodeTunnelRequired      Code = "tunnel_required"
	CodePlaceholder         Code = "placeholder_refused"
	CodeAuthorityMismatch   Code = "authority_mismatch"
	CodeBadRequest          Code = "bad_request"
	CodeRefreshUnavailable  Code = "refresh_unavailable"
	CodeVaultUnavailable    Code = "vault_unavailable"
	CodeAuditUnavailable    Code = "audit_unavailable"
	CodeUpstreamUnreachable Code = "upstream_unreachable"
	CodeUpstreamTLS         Code = "upstream_tls"
	CodeUpstreamTimeout     Code = "upstream_timeout"
	CodeInternal            Code = "internal_error"
)

// Codes lists all codes.
func Codes() []Code {
	return []Code{
		CodeProxyAuthRequired, CodeNotYourProxy, CodeHostDenied, CodePrivateTarget, CodeNotAllowed, CodeTargetUnknown, CodeLoginRequired,
		CodeRouteAmbiguous, CodeHTTPSRequired, CodeTunnelRequired, CodePlaceholder, CodeAuthorityMismatch, CodeBadRequest, CodeRefreshUnavailable, CodeVaultUnavailable,
		CodeAuditUnavailable, CodeUpstreamUnreachable, CodeUpstreamTLS, CodeUpstreamTimeout, CodeInternal,
	}
}

// errorHeader is the header that carries the [Code] of an answer that the proxy
// gives itself.
const errorHeader = "X-Authsome-Error"

// Refusal is an answer that the proxy gives itself. It is an error, so that
// [Credentials] can return one. Its texts must not contain a secret or anything
// that an upstream or a library said: those go to the log. They name no command and
// no flag either: those come from [Proxy.Fix].
type Refusal struct {
	Status     int
	Code       Code
	Message    string
	Provider   string
	Connection string
	RetryAfter int // seconds; 0 sends no Retry-After

	// What Proxy.Fix may need in addition.

	Host       string   // https_required, host_denied, route_ambiguous: the host that was asked for; not_allowed, target_unknown: with its port
	URL        string   // placeholder_refused: the request's URL, without its query
	Choices    []string // route_ambiguous: what can be chosen, as PROVIDER or PROVIDER=CONNECTION; at least two
	HasDefault bool     // route_ambiguous: see [routing.Decision]
	NoFix      bool     // nothing can be done about this refusal, unlike others with its code: Proxy.Fix is not called
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

// Fixes says what can be done about a refusal, or "", and who has to do it: "" means
// the client.
type Fixes func(*Refusal) (fix, who string)

// fix is what the answer for r proposes to do, or "", and who has to do it.
func (p *Proxy) fix(r *Refusal) (fix, who string) {
	if r.NoFix {
		return "", ""
	}
	return p.Fix(r)
}

// answerBody is the JSON of an answer.
type answerBody struct {
	Error struct {
		Code       Code   `json:"code"`
		Message    string `json:"message"`
		Provider   string `json:"provider,omitempty"`
		Connection string `json:"connection,omitempty"`
		Fix        string `json:"fix,omitempty"`
		Who        string `json:"who,omitempty"`
	} `json:"error"`
}

func (r *Refusal) json(fix, who string) []byte {
	var body answerBody
	e := &body.Error
	e.Code, e.Message, e.Provider, e.Connection, e.Fix, e.Who = r.Code, r.Message, r.Provider, r.Connection, fix, who
	b, err := json.Marshal(body)
	if err != nil {
		// The fields are our own strings; only invalid UTF-8 in a name could fail.
		b = []byte(`{"error":{"code":"` + string(r.Code) + `"}}`)
	}
	return append(b, '\n')
}

// answer writes r as the response to a request on one of our servers.
func (p *Proxy) answer(w http.ResponseWriter, r *Refusal) {
	h := w.Header()
	body := r.json(p.fix(r))
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	r.setHeaders(h)
	w.WriteHeader(r.Status)
	w.Write(body)
}

func (r *Refusal) setHeaders(h http.Header) {
	h.Set(errorHeader, string(r.Code))
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(r.RetryAfter))
	}
	if r.Status == http.StatusProxyAuthRequired {
		h.Set("Proxy-Authenticate", `Basic realm="authsome"`)
	}
}

// connectAnswer is r as the response to a CONNECT: one line of plain text, since
// clients show little else of it. Many, such as those of Python and Go, show only the
// reason phrase, so it has the code. The connection is closed, except after a 407: the
// client's second try comes on the same connection.
func (p *Proxy) connectAnswer(request *http.Request, r *Refusal) *http.Response {
	text := r.Message
	if fix, _ := p.fix(r); fix != "" {
		text += "; " + fix
	}
	text = "authsome: " + text + "\n"
	h := http.Header{}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	r.setHeaders(h)
	return &http.Response{
		Status:     string(r.Code) + " (authsome)", // our own constants: nothing that a client sent can add a line
		StatusCode: r.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)),
		Request: request, Close: r.Status != http.StatusProxyAuthRequired,
	}
}
