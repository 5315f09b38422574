package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
)

// serveFloor does the minimum that an intercepting proxy has to do on a long
// connection: two TLS sessions, and copying bytes between them. It opens an upstream
// connection for each client connection, so for short connections it is not a
// minimum.
func serveFloor(up endpoints) (func(net.Listener) error, []byte, error) {
	leaf, authority, err := serverIdentity("bench floor")
	if err != nil {
		return nil, nil, err
	}
	f := &floor{
		up:     up,
		server: &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: []string{"h2", "http/1.1"}},
		client: &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(256)},
	}
	return f.serve, authority, nil
}

type floor struct {
	up             endpoints
	server, client *tls.Config
}

func (f *floor) serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go f.relay(c)
	}
}

func (f *floor) relay(raw net.Conn) {
	defer raw.Close()
	// The client waits for the response, so the buffer holds only the head.
	request, err := http.ReadRequest(bufio.NewReader(raw))
	if err != nil || request.Method != http.MethodConnect {
		return
	}
	if _, err := io.WriteString(raw, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	client := tls.Server(raw, f.server)
	if err := client.Handshake(); err != nil {
		return
	}
	far, err := f.up.dial(context.Background(), "tcp", request.Host)
	if err != nil {
		return
	}
	defer far.Close()
	config := f.client.Clone()
	config.ServerName, _, _ = net.SplitHostPort(request.Host)
	if p := client.ConnectionState().NegotiatedProtocol; p != "" {
		config.NextProtos = []string{p}
	}
	upstream := tls.Client(far, config)
	var copies sync.WaitGroup
	copies.Go(func() {
		io.Copy(upstream, client)
		far.Close()
	})
	io.Copy(client, upstream)
	raw.Close()
	copies.Wait()
}
