package main

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"time"

	"github.com/AdguardTeam/gomitmproxy"
	"github.com/AdguardTeam/gomitmproxy/mitm"
)

// serveGomitmproxy uses the library's own interception, which authsome does not:
// it serves HTTP/1.1 only, buffers answers to their end, and keeps two idle
// connections to a host.
func serveGomitmproxy(up endpoints) (func(net.Listener) error, []byte, error) {
	certificate, key, err := mitm.NewAuthority("bench gomitmproxy", "bench", 24*time.Hour)
	if err != nil {
		return nil, nil, err
	}
	config, err := mitm.NewConfig(certificate, key, nil)
	if err != nil {
		return nil, nil, err
	}
	proxy := gomitmproxy.NewProxy(gomitmproxy.Config{
		MITMConfig: config,
		OnConnect: func(_ *gomitmproxy.Session, network, authority string) net.Conn {
			c, err := up.dial(context.Background(), network, authority)
			if err != nil {
				return nil
			}
			return c
		},
		OnRequest: func(s *gomitmproxy.Session) (*http.Request, *http.Response) {
			r := s.Request()
			if r.Method == http.MethodConnect {
				return nil, nil
			}
			// Its transport cannot be given a dialer: the URL names the address, and
			// Host stays.
			if address, err := up.address(net.JoinHostPort(r.Host, "443")); err == nil {
				r.URL.Host = address
			}
			r.Header.Set("Authorization", credential)
			return r, nil
		},
	})
	serve := func(l net.Listener) error {
		proxy.Serve(l)
		return net.ErrClosed
	}
	return serve, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), nil
}
