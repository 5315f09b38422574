package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

func badRequest(message string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: message}
}

const unreadableBody = "the body of the request is malformed or incomplete"

func badGateway(message string) *Refusal {
	return &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Message: message}
}

func internalError() *Refusal {
	return &Refusal{Status: http.StatusInternalServerError, Code: CodeInternal, Message: "internal error; see the proxy's log"}
}

func hostDenied(host string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeHostDenied, Host: host,
		Message: "no connected provider covers " + host + ", and all other hosts are denied"}
}

func loginRequired(provider, connection, message string) *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: CodeLoginRequired, Provider: provider, Connection: connection, Message: message}
}

// decisionRefusal is the answer for a decision to refuse a request to host.
func decisionRefusal(d routing.Decision, host string) *Refusal {
	r := &Refusal{Status: http.StatusForbidden, Provider: d.Provider, Connection: d.Connection}
	switch d.Reason {
	case routing.LoginRequired:
		message := d.Provider + "/" + d.Connection + " needs a new login"
		if d.Problem != "" {
			message += ": " + d.Problem
		}
		return loginRequired(d.Provider, d.Connection, message)
	case routing.RouteAmbiguous:
		r.Code, r.Host, r.Choices, r.HasDefault = CodeRouteAmbiguous, host, d.Choices, d.HasDefault
		r.Message = "several connections match: " + strings.Join(d.Choices, ", ")
	case routing.HTTPSRequired:
		r.Code, r.Host = CodeHTTPSRequired, host
		r.Message = "credentials for " + host + " are sent over https only"
	case routing.HostDenied:
		return hostDenied(host)
	default:
		r.Status, r.Code = http.StatusBadRequest, CodeBadRequest
		r.Message = "servers read this path in different ways; send it without dot segments, semicolons, doubled slashes and encoded slashes"
	}
	return r
}

// credentialRefusal is the answer for a request whose credential could not be
// applied.
func (p *Proxy) credentialRefusal(d routing.Decision, err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	if fault, ok := errors.AsType[providers.RequestError](err); ok {
		r := badRequest(fault.Error())
		r.Provider, r.Connection = d.Provider, d.Connection
		return r
	}
	p.Log.Error("credential not available", "provider", d.Provider, "connection", d.Connection, "err", err)
	return loginRequired(d.Provider, d.Connection, "the credential of "+d.Provider+"/"+d.Connection+" cannot be used; the proxy's log says why")
}

// dialRefusal is the answer for an upstream that could not be reached.
func dialRefusal(t Target, err error) *Refusal {
	if blocked, ok := errors.AsType[*blockedError](err); ok {
		if blocked.fenced {
			return notAllowed(t, "it is on the machine outside")
		}
		return &Refusal{Status: http.StatusForbidden, Code: CodePrivateTarget, Message: t.String() + ": " + blocked.reason, NoFix: !blocked.private}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return badGateway(t.Host + ": host not found")
	}
	for _, own := range ownLimits {
		if errors.Is(err, own) {
			return &Refusal{Status: http.StatusServiceUnavailable, Code: CodeInternal, RetryAfter: 1,
				Message: "the proxy's machine cannot open another connection: " + own.Error()}
		}
	}
	return badGateway("cannot reach " + t.String())
}

// ownLimits are the errors of a new connection that say nothing about its target.
var ownLimits = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}

// upstreamRefusal is the answer for a request that got no response. If its head was
// sent, the upstream was reached and may have the credential.
func upstreamRefusal(t Target, err error, sent bool) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case certificate || (record || alert) && !sent:
		return &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamTLS,
			Message: "TLS with " + t.String() + " failed, so the request was not sent; the proxy's log says why"}
	case record || alert:
		return &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamTLS,
			Message: t.String() + " ended TLS after the request was sent; the proxy's log says why"}
	case isNet && timeout.Timeout() && !isOp && !errors.Is(err, context.DeadlineExceeded):
		return &Refusal{Status: http.StatusGatewayTimeout, Code: CodeUpstreamTimeout, Message: t.String() + " sent no response head in time"}
	case sent && (!isOp || op.Op == "read" || op.Op == "write"):
		return badGateway(t.String() + " got the request and sent no valid response")
	}
	return dialRefusal(t, err)
}

// loggable reduces err to what is safe to log. The text of an upstream's malformed
// response is not: it may repeat the request, and with it the credential.
func loggable(err error) error {
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
	return errors.New("malformed response, or the connection broke")
}
