package main

import "net"

// peer is a proxy that is measured.
type peer struct {
	name     string
	serve    serveFunc // nil for a separate binary
	blind    bool      // copies bytes, so the client itself sends the credential
	http2    bool      // speaks HTTP/2 to clients
	slow     bool      // gets a quarter of the time
	isolated bool      // only with -isolate, or if it is named: it serves connections from inside a fence
}

// serveFunc prepares a proxy. It returns the certificate, in PEM, of the authority
// that clients must trust.
type serveFunc func(up endpoints) (serve func(net.Listener) error, authority []byte, err error)

// Peers that the rest of the program refers to.
const (
	reference = "lean"
	subject   = "authsome"
	isolated  = "isolated" // authsome run --isolate, by CONNECT
	captured  = "captured" // the same process, for clients that know no proxy
)

func peers() []peer {
	return []peer{
		{name: "floor", serve: serveFloor, blind: true, http2: true},
		{name: reference, serve: serveLean, http2: true},
		{name: "reverseproxy", serve: serveReverseProxy, http2: true},
		{name: "goproxy", serve: serveGoproxy, http2: true},
		{name: "gomitmproxy", serve: serveGomitmproxy, slow: true},
		{name: subject, http2: true}, // with vault, audit log and metrics
		{name: isolated, http2: true, isolated: true},
		{name: captured, http2: true, isolated: true},
	}
}

func peerNames() []string {
	var names []string
	for _, p := range peers() {
		names = append(names, p.name)
	}
	return names
}
