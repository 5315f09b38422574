package main

import "net"

// peer is a proxy that is measured.
type peer struct {
	name  string
	about string
	serve serveFunc // nil: another binary
	blind bool      // copies bytes: the client has to send the credential itself
	http2 bool      // speaks HTTP/2 to clients
	slow  bool      // gets a quarter of the time
}

// serveFunc prepares a proxy. It returns the certificate, in PEM form, of the
// authority that clients must trust.
type serveFunc func(up endpoints) (serve func(net.Listener) error, authority []byte, err error)

// The names of the peers that the rest of the program speaks of.
const (
	reference = "lean"
	subject   = "authsome"
)

func peers() []peer {
	return []peer{
		{name: "floor", about: "ends TLS on both sides and copies bytes blindly", serve: serveFloor, blind: true, http2: true},
		{name: reference, about: "net/http on both sides and a minimal handler: the reference", serve: serveLean, http2: true},
		{name: "reverseproxy", about: "as lean, with httputil.ReverseProxy for a handler", serve: serveReverseProxy, http2: true},
		{name: "goproxy", about: "github.com/elazarl/goproxy, interception with a header set", serve: serveGoproxy, http2: true},
		{name: "gomitmproxy", about: "github.com/AdguardTeam/gomitmproxy with its own interception", serve: serveGomitmproxy, slow: true},
		{name: subject, about: "authsome proxy as built, with vault, audit log and metrics", http2: true},
	}
}

func peerNames() []string {
	var names []string
	for _, p := range peers() {
		names = append(names, p.name)
	}
	return names
}
