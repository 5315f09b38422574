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

// serveGomitmproxy intercepts with the library itself, which authsome does not: the
// library serves only HTTP/1.1, buffers whole responses, and keeps at most two idle
// connections per host.
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
			// The library's transport accepts no dialer, so the URL gets the address;
			// Host keeps the name.
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
