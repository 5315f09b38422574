package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/authsome/authsome/internal/hosts"
)

// interceptedConn is a client's connection on which this proxy ends TLS.
type interceptedConn struct {
	prefixConn
	proxy  *Proxy
	target Target
	unused atomic.Bool // the client began TLS, and no request has come
}

// Close records a connection that its client ended after it had begun TLS and before a
// request. Clients that do not trust the certificate do that: most end the handshake,
// and some, such as Node, the connection after it.
func (c *interceptedConn) Close() error {
	if c.unused.Swap(false) && c.proxy.handling.enter() {
		c.proxy.Record(Exchange{Kind: KindUnused, Host: c.target.Host, Port: c.target.Port, Start: time.Now()})
		c.proxy.handling.leave()
	}
	return c.prefixConn.Close()
}

type interceptedKey struct{}

// newSecureServer makes the interception server. It has no total timeouts: a model
// may take an hour until its first byte.
func (p *Proxy) newSecureServer() *http.Server {
	return &http.Server{
		Handler:                      http.HandlerFunc(p.serveIntercepted),
		ReadHeaderTimeout:            innerTimeout, // bounds the TLS handshake as well
		MaxHeaderBytes:               maxInnerHead,
		DisableGeneralOptionsHandler: true, // checkRequest refuses OPTIONS *
		ErrorLog:                     slog.NewLogLogger(p.Log.Handler(), slog.LevelInfo),
		TLSConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			NextProtos:         []string{"h2", "http/1.1"},
			GetConfigForClient: checkServerName,
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				return p.Authority.Leaf(hello.Conn.(*interceptedConn).target.Host)
			},
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			inner := c.(*tls.Conn).NetConn().(*interceptedConn)
			return context.WithValue(ctx, interceptedKey{}, inner)
		},
	}
}

var errServerName = errors.New("server name differs from the CONNECT target")

// checkServerName ends the handshake of a client that asks for another name than
// it gave in CONNECT. It runs as GetConfigForClient because resumed sessions never
// reach GetCertificate. A client that names no server is served.
func checkServerName(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c, ok := hello.Conn.(*interceptedConn)
	if !ok {
		return nil, errServerName
	}
	if hello.ServerName != "" && hello.ServerName != c.target.Host {
		if name, err := hosts.Normalize(hello.ServerName); err != nil || name != c.target.Host {
			return nil, errServerName
		}
	}
	c.unused.Store(true)
	return nil, nil
}
