package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Paths of the upstream.
const (
	pathSmall  = "/small"
	pathBig    = "/big"  // ?n= is the length
	pathJSON   = "/json" // ?n= is the length
	pathEvents = "/events"
)

// eventHold is how long a stream continues after its first event. A proxy that
// buffers whole responses delays the first event by that much.
const eventHold = 8 * time.Millisecond

// smallSize is the length of the small response.
const smallSize = 1024

// serveUpstream runs the service to which the proxies connect: a server that speaks
// only HTTP/1.1, and one that also speaks HTTP/2.
func serveUpstream() error {
	leaf, authority, err := serverIdentity("bench upstream")
	if err != nil {
		return err
	}
	handler := newUpstreamHandler()
	failed := make(chan error, 2)
	start := func(protocols ...string) (string, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", fmt.Errorf("listen on loopback: %w", err)
		}
		server := &http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet(),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: protocols},
		}
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetHTTP2(len(protocols) > 1)
		go func() { failed <- server.ServeTLS(l, "", "") }()
		return l.Addr().String(), nil
	}
	var ready upstreamReady
	ready.Authority = string(authority)
	if ready.HTTP1, err = start("http/1.1"); err != nil {
		return err
	}
	if ready.HTTP2, err = start("h2", "http/1.1"); err != nil {
		return err
	}
	if err := announce(ready); err != nil {
		return err
	}
	return <-failed
}

// newUpstreamHandler refuses every request that does not carry exactly one
// credential, the right one.
func newUpstreamHandler() http.Handler {
	small := append([]byte(`{"data":"`), bytes.Repeat([]byte("x"), smallSize-11)...)
	small = append(small, `"}`...)
	block := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	list := []byte("[" + strings.Repeat(`{"id":"chatcmpl-8d1f6b2c9a","created":1677652288,"text":"a few words"},`, 1<<10) + "0]")
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathSmall, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(small)))
		w.Write(small)
	})
	mux.HandleFunc("GET "+pathBig, func(w http.ResponseWriter, r *http.Request) { serveRepeated(w, r, "application/octet-stream", block) })
	mux.HandleFunc("GET "+pathJSON, func(w http.ResponseWriter, r *http.Request) { serveRepeated(w, r, "application/json", list) })
	mux.HandleFunc("GET "+pathEvents, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		control := http.NewResponseController(w)
		control.Flush()
		time.Sleep(time.Millisecond) // so that the head is sent before the first event
		for range 2 {
			fmt.Fprintf(w, "data: %d\n\n", time.Now().UnixNano())
			control.Flush()
			time.Sleep(eventHold / 2)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkCredential(r.Header); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serveRepeated sends a block as often as the length that the request asks for needs.
func serveRepeated(w http.ResponseWriter, r *http.Request, contentType string, block []byte) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil {
		http.Error(w, "n is not a number", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(n))
	for n > 0 {
		part := block[:min(n, len(block))]
		if _, err := w.Write(part); err != nil {
			return
		}
		n -= len(part)
	}
}

func checkCredential(h http.Header) error {
	switch values := h["Authorization"]; {
	case len(values) != 1:
		return fmt.Errorf("the request has %d Authorization fields instead of one", len(values))
	case values[0] != credential:
		return errors.New("the request does not have the credential")
	}
	return nil
}
