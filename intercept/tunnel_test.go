package intercept

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/authsome/authsome/routing"
)

// A host without a route is passed through: the client gets the upstream's
// certificate, and the upstream gets no credential.
func TestHostWithoutRouteIsPassedThrough(t *testing.T) {
	r := newRig(t, nil)
	response, body := get(t, r.client(), "https://"+otherHost+"/x")
	if got := response.TLS.PeerCertificates[0].Issuer.CommonName; got != "upstream test authority" {
		t.Errorf("client was shown a certificate by %q", got)
	}
	if want := "GET /x host=" + otherHost + " auth="; body != want {
		t.Errorf("upstream saw %q, want %q", body, want)
	}
}

// When one direction of a tunnel ends, the other one stays open.
func TestTunnelHalfClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		c.Write(bytes.ToUpper(b))
	}()
	r := newRig(t, nil)
	c := r.connect(l.Addr().String())
	io.WriteString(c, "said before the end")
	c.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || string(b) != "SAID BEFORE THE END" {
		t.Errorf("got %q, %v", b, err)
	}
	if x := r.next(); x.Kind != KindTunnel || x.Sent != 19 || x.Received != 19 {
		t.Errorf("recorded %+v", x)
	}
}

func TestDropTunnels(t *testing.T) {
	var routes atomic.Pointer[routing.Table]
	routes.Store(&routing.Table{})
	r := newRig(t, func(r *rig) { r.Routes = routes.Load })
	c := r.connect(otherHost + ":443")
	for r.Stats().Tunnels == 0 {
		runtime.Gosched()
	}
	routes.Store(table(t, definition(t, otherHost), ready, routing.Options{}))
	r.DropTunnels()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel is still open")
	}
}

// A host may gain a route while a tunnel to it is being dialled.
func TestTunnelEndsIfItsHostGainsARoute(t *testing.T) {
	var routes atomic.Pointer[routing.Table]
	routes.Store(&routing.Table{})
	dialling, gained := make(chan struct{}), make(chan struct{})
	far := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return &routing.Table{} } })
	r := newRig(t, func(r *rig) {
		r.Routes, r.ConnectTo = routes.Load, nil
		r.UpstreamProxy = func(*url.URL) (*url.URL, error) {
			close(dialling)
			<-gained
			return &url.URL{Scheme: "http", Host: far.addr}, nil
		}
	})
	closed := make(chan error, 1)
	go func() {
		c := r.raw()
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\n\r\n", otherHost)
		_, err := io.Copy(io.Discard, c)
		closed <- err
	}()
	<-dialling
	routes.Store(table(t, definition(t, otherHost), ready, routing.Options{}))
	r.DropTunnels()
	close(gained)
	if err := <-closed; err != nil {
		t.Errorf("the tunnel is still open: %v", err)
	}
}
