package main

import (
	"net"
	"net/http/httputil"
	"sync"
)

// serveReverseProxy is like serveLean, with the handler of the standard library.
func serveReverseProxy(up endpoints) (func(net.Listener) error, []byte, error) {
	leaf, authority, err := serverIdentity("bench reverseproxy")
	if err != nil {
		return nil, nil, err
	}
	return newShell(leaf, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "https", hostOf(r.In)
			r.Out.Header.Set("Authorization", credential)
		},
		Transport:     up.transport(),
		FlushInterval: -1, // after every write
		BufferPool:    &bufferPool{},
	}).serve, authority, nil
}

// bufferPool saves ReverseProxy one buffer per request.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
