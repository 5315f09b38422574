package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

// childCommand is the hidden command with which the bench binary starts itself,
// as the upstream or as one of the proxies that it contains.
const childCommand = "serve-child"

const upstreamName = "upstream"

// insideName is the child that opens connections from inside a fence.
const insideName = "inside"

// proxyReady and upstreamReady are what a child prints when it is ready.
type proxyReady struct {
	Proxy     string `json:"proxy"`
	Authority string `json:"authority"` // PEM
}

type upstreamReady struct {
	endpoints
	Authority string `json:"authority"` // PEM
}

func announce(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// serveChild serves until its standard input is closed, which also happens when
// the parent process ends.
func serveChild(args []string) error {
	f := flag.NewFlagSet(childCommand, flag.ContinueOnError)
	name := f.String("name", "", "serve as `PEER`")
	var up endpoints
	f.StringVar(&up.HTTP1, "http1", "", "`ADDRESS` of the upstream that speaks HTTP/1.1")
	f.StringVar(&up.HTTP2, "http2", "", "`ADDRESS` of the upstream that speaks HTTP/2")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *name == insideName {
		return dialInside()
	}
	failed := make(chan error, 1)
	go func() {
		if *name == upstreamName {
			failed <- serveUpstream()
			return
		}
		failed <- servePeer(*name, up)
	}()
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("%s stopped serving: %w", *name, err)
	case <-ended:
		return nil
	}
}

func servePeer(name string, up endpoints) error {
	for _, p := range peers() {
		if p.name != name || p.serve == nil {
			continue
		}
		serve, authority, err := p.serve(up)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listen on loopback: %w", err)
		}
		if err := announce(proxyReady{Proxy: l.Addr().String(), Authority: string(authority)}); err != nil {
			return err
		}
		return serve(l)
	}
	return fmt.Errorf("unknown peer %q", name)
}
