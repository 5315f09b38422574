package demo

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/authsome/authsome/ca"
)

const serviceAuthority = "the demo service's own authority"

// service is an HTTPS service that requires a bearer token and remembers what it
// received.
type service struct {
	server   *http.Server
	listener net.Listener
	caFile   string
	serving  sync.WaitGroup

	mu   sync.Mutex        // guards last
	last map[string]string // Authorization of the last request, by host
}

func startService(caFile string) (*service, error) {
	authority, err := ca.New(ca.Options{CommonName: serviceAuthority})
	if err != nil {
		return nil, fmt.Errorf("create the service's authority: %w", err)
	}
	if err := os.WriteFile(caFile, authority.CertificatePEM(), 0o600); err != nil {
		return nil, fmt.Errorf("write the service's certificate: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	s := &service{listener: l, caFile: caFile, last: make(map[string]string)}
	s.server = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		TLSConfig:         &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.serving.Go(func() { s.server.ServeTLS(l, "", "") })
	return s, nil
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.last[r.Host] = r.Header.Get("Authorization")
	s.mu.Unlock()
	if len(r.Header["Authorization"]) != 1 {
		http.Error(w, "send exactly one Authorization header", http.StatusUnauthorized)
		return
	}
	fmt.Fprintln(w, "hello")
}

// received checks the Authorization header of the last request to host, and forgets it.
func (s *service) received(host, authorization string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, ok := s.last[host]
	delete(s.last, host)
	switch {
	case !ok:
		return fmt.Errorf("%s received no request", host)
	case got != authorization:
		return fmt.Errorf("%s received the wrong Authorization header", host)
	}
	return nil
}

func (s *service) port() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return port
}

func (s *service) close() {
	s.server.Close()
	s.serving.Wait()
}
