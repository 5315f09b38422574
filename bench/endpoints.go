package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// The two upstream hosts. No resolver knows them (RFC 6761): every proxy is told
// where they are.
const (
	hostHTTP1 = "h1.bench.test"
	hostHTTP2 = "h2.bench.test"
)

// The credential that proxies put on requests, and what clients send in its
// place. Neither opens anything.
const (
	credential = "Bearer bench-key-that-opens-nothing-000000000000"
	stand      = "Bearer what-the-client-has-in-its-environment-00"
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
	return "", fmt.Errorf("%s is no upstream of this benchmark", authority)
}

func (e endpoints) dial(ctx context.Context, network, authority string) (net.Conn, error) {
	address, err := e.address(authority)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return d.DialContext(ctx, network, address)
}

// transport has the settings of authsome's own, for every peer that can be given
// one. The upstream's authority comes from SSL_CERT_FILE.
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
