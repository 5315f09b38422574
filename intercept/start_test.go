package intercept

import (
	"context"
	"net"
	"testing"
	"time"
)

// A proxy that is told to end before it serves, as when the admin port cannot be
// had, ends.
func TestShutdownBeforeServe(t *testing.T) {
	r := newRig(t, nil)
	p := &Proxy{Routes: r.Routes, Authority: r.authority, Credentials: r.Credentials}
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(limit):
		t.Error("Serve did not return")
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

// The vault may change while the proxy starts.
func TestForgetConnectionsWhileStarting(t *testing.T) {
	r := newRig(t, nil)
	for range 20 {
		r.ForgetConnections()
	}
	get(t, r.client(), "https://"+routedHost+"/")
}
