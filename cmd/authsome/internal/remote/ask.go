package remote

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/hosts"
)

// errOther means that something answered that is not an authsome proxy, or one that runs
// no commands for its clients.
var errOther = errors.New("another program is at its address")

// RefusedError is the answer of an authsome proxy that did not run the command.
type RefusedError struct {
	Code    intercept.Code // empty if the client may use the proxy
	message string
}

func (e *RefusedError) Error() string { return e.message }

// Ask runs a command in the process of the proxy. Its parameters are those that the
// [Handler] knows. Over loopback it sends plain http, so that the client needs no
// certificate; otherwise the proxy's certificate must be trusted.
//
// The error is a [*RefusedError], [errOther], or one of package net.
func Ask(ctx context.Context, proxy *url.URL, name string, query url.Values) (Answer, error) {
	if hosts.IsLoopback(proxy.Hostname()) {
		answer, err := ask(ctx, proxy, "http", name, query)
		if e, ok := errors.AsType[*RefusedError](err); !ok || e.Code != intercept.CodeTunnelRequired {
			return answer, err
		}
		// The address is forwarded to the proxy from this machine.
	}
	return ask(ctx, proxy, "https", name, query)
}

func ask(ctx context.Context, proxy *url.URL, scheme, name string, query url.Values) (Answer, error) {
	u := url.URL{Scheme: scheme, Host: intercept.SelfHost, Path: intercept.SelfPath + name, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Answer{}, err
	}
	transport := &http.Transport{
		Proxy:             http.ProxyURL(proxy),
		DisableKeepAlives: true,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, response *http.Response) error {
			return refusal(proxy, response)
		},
	}
	response, err := transport.RoundTrip(r) // without redirects
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "proxyconnect" {
		err = e.Err // the address is the proxy's
	}
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	if err := refusal(proxy, response); err != nil {
		return Answer{}, err
	}
	var d document
	if err := json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(&d); ctx.Err() != nil {
		return Answer{}, ctx.Err()
	} else if err != nil || d.Program != program {
		return Answer{}, errOther
	}
	switch {
	case d.Error != "":
		return Answer{}, &RefusedError{message: d.Error}
	case response.StatusCode != http.StatusOK || d.Answer == nil:
		return Answer{}, errOther
	}
	return *d.Answer, nil
}

// refusal returns a [*RefusedError] if the response is the answer of an authsome proxy to a
// client that may not use it, or not in this way.
func refusal(proxy *url.URL, response *http.Response) error {
	code := intercept.Code(response.Header.Get("X-Authsome-Error"))
	switch {
	case code == intercept.CodeTunnelRequired:
		return &RefusedError{code, "its clients must use TLS"}
	case code == intercept.CodeProxyAuthRequired && proxy.User == nil:
		return &RefusedError{code, "it needs its token, as the password in the proxy URL"}
	case code == intercept.CodeProxyAuthRequired:
		return &RefusedError{code, "the password in the proxy URL is not its token"}
	case code == intercept.CodeNotYourProxy:
		return &RefusedError{code, "it belongs to another user, and has no token"}
	}
	return nil
}
