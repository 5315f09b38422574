package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// The two upstream hosts. DNS has no .test (RFC 6761), so every proxy is configured
// with their addresses.
const (
	hostHTTP1 = "h1.bench.test"
	hostHTTP2 = "h2.bench.test"
)

// Proxies add credential to requests; clients send placeholder, of the same length,
// instead. Both are made up.
const (
	credential  = "Bearer bench-key-that-opens-nothing-000000000000"
	placeholder = "Bearer what-the-client-has-in-its-environment-00"
)

// endpoints are the addresses of the upstream hosts.
type endpoints struct {
	HTTP1 string `json:"http1"`
	HTTP2 string `json:"http2"`
}

func (e endpoints) address(authority string) (string, error) {
	switch authority {
	case hostHTTP1 + ":443":
		return e.HTTP1, nil
	case hostHTTP2 + ":443":
		return e.HTTP2, nil
	}
	return "", fmt.Errorf("%s is not an upstream of this benchmark", authority)
}

func (e endpoints) dial(ctx context.Context, network, authority string) (net.Conn, error) {
	address, err := e.address(authority)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return d.DialContext(ctx, network, address)
}

// transport returns a transport with the settings of authsome's, for every peer
// that accepts one. It trusts the authority in SSL_CERT_FILE, the upstream's.
func (e endpoints) transport() *http.Transport {
	return &http.Transport{
		DialContext:           e.dial,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)},
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}
