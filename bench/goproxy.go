package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/elazarl/goproxy"
)

// serveGoproxy configures goproxy as its documentation recommends, with cached
// certificates and HTTP/2.
func serveGoproxy(up endpoints) (func(net.Listener) error, []byte, error) {
	a, err := newAuthority("bench goproxy")
	if err != nil {
		return nil, nil, err
	}
	own := tls.Certificate{Certificate: [][]byte{a.certificate.Raw}, PrivateKey: a.key, Leaf: a.certificate}
	action := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(&own)}
	proxy := goproxy.NewProxyHttpServer()
	proxy.Tr = up.transport()
	proxy.CertStore = &leafStore{leaves: make(map[string]*tls.Certificate)}
	proxy.AllowHTTP2 = true
	proxy.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) { return action, host })
	proxy.OnRequest().DoFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		r.Header.Set("Authorization", credential)
		return r, nil
	})
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve, a.pem(), nil
}

// leafStore caches the certificates that goproxy creates.
type leafStore struct {
	mu     sync.Mutex // guards leaves
	leaves map[string]*tls.Certificate
}

var _ goproxy.CertStorage = (*leafStore)(nil)

func (s *leafStore) Fetch(host string, make func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if leaf, ok := s.leaves[host]; ok {
		return leaf, nil
	}
	leaf, err := make()
	if err == nil {
		s.leaves[host] = leaf
	}
	return leaf, err
}
