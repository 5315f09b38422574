package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// client sends requests for one host through one proxy. The body of a response
// must be read to its end before the next Get.
type client interface {
	Get(ctx context.Context, path string) (*http.Response, error)
	Close()
}

// target is where a client connects, and what it sends.
type target struct {
	proxy         string // address; "" if connections to the host itself arrive at the proxy
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	roots         *x509.CertPool
	host          string
	authorization string
}

// connection is an HTTP/1.1 client with one connection. It writes and reads on the
// caller's goroutine, so that more CPU time is left for the proxy.
type connection struct {
	target target
	conn   net.Conn
	reader *bufio.Reader
}

// connectionLimit bounds the life of a connection, so that a proxy that hangs does
// not block the benchmark.
const connectionLimit = 2 * time.Minute

func (c *connection) open(ctx context.Context) (err error) {
	address := cmp.Or(c.target.proxy, c.target.host+":443")
	raw, err := c.target.dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	raw.SetDeadline(time.Now().Add(connectionLimit))
	if c.target.proxy != "" {
		if err := askForTunnel(raw, c.target.host); err != nil {
			return err
		}
	}
	secure := tls.Client(raw, &tls.Config{RootCAs: c.target.roots, ServerName: c.target.host, NextProtos: []string{"http/1.1"}})
	if err := secure.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS with the proxy: %w", err)
	}
	c.conn, c.reader = secure, bufio.NewReader(secure)
	return nil
}

func askForTunnel(raw net.Conn, host string) error {
	if _, err := fmt.Fprintf(raw, "CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", host); err != nil {
		return fmt.Errorf("send CONNECT: %w", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(raw), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return fmt.Errorf("response to CONNECT: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("response to CONNECT: %s", response.Status)
	}
	return nil
}

func (c *connection) Get(ctx context.Context, path string) (*http.Response, error) {
	if c.conn == nil {
		if err := c.open(ctx); err != nil {
			return nil, err
		}
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + c.target.host + "\r\nAuthorization: " + c.target.authorization +
		"\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
	if _, err := io.WriteString(c.conn, request); err != nil {
		return nil, fmt.Errorf("send a request: %w", err)
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return nil, fmt.Errorf("read a response: %w", err)
	}
	return response, nil
}

func (c *connection) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.reader = nil, nil
	}
}

// streams is an HTTP/2 client. Concurrent callers share one connection.
type streams struct {
	target    target
	transport *http.Transport
}

func newStreams(t target) *streams {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	transport := &http.Transport{
		DialContext:        t.dial,
		TLSClientConfig:    &tls.Config{RootCAs: t.roots},
		Protocols:          protocols,
		DisableCompression: true,
	}
	if t.proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: t.proxy})
	}
	return &streams{target: t, transport: transport}
}

func (s *streams) Get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.target.host+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header["Authorization"] = []string{s.target.authorization}
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.ProtoMajor != 2 {
		response.Body.Close()
		return nil, fmt.Errorf("the proxy responded with %s instead of HTTP/2", response.Proto)
	}
	return response, nil
}

func (s *streams) Close() { s.transport.CloseIdleConnections() }
