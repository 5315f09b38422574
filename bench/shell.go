package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// shell answers CONNECT with net/http, terminates TLS with a fixed leaf, and passes
// the requests inside to a handler.
type shell struct {
	inside *http.Server
	queue  connQueue
}

func newShell(leaf tls.Certificate, handler http.Handler) *shell {
	return &shell{
		inside: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 30 * time.Second,
			TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{leaf}, NextProtos: []string{"h2", "http/1.1"}},
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, hostKey{}, c.(*tls.Conn).NetConn().(*tunnelConn).host)
			},
		},
		queue: make(connQueue),
	}
}

// hostKey is the context key of the host in CONNECT.
type hostKey struct{}

func hostOf(r *http.Request) string { return r.Context().Value(hostKey{}).(string) }

type tunnelConn struct {
	net.Conn
	host string
}

func (s *shell) serve(l net.Listener) error {
	go s.inside.ServeTLS(s.queue, "", "")
	outside := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	return outside.Serve(l)
}

func (s *shell) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil {
		http.Error(w, "only CONNECT is served here", http.StatusBadRequest)
		return
	}
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if buffered.Reader.Buffered() > 0 {
		c.Close() // clients of this benchmark wait for the response
		return
	}
	if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		c.Close()
		return
	}
	s.queue <- &tunnelConn{c, host}
}

// connQueue is a listener that returns connections which others accepted.
type connQueue chan net.Conn

func (q connQueue) Accept() (net.Conn, error) {
	c, ok := <-q
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (q connQueue) Close() error   { return errors.ErrUnsupported }
func (q connQueue) Addr() net.Addr { return &net.TCPAddr{} }
