package intercept

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"testing"
)

// A connection that its client ended because it does not trust the certificate is
// recorded, whether it ended the handshake or the connection after it. Others that end
// without a request are not.
func TestUnusedConnectionsAreRecorded(t *testing.T) {
	r := newRig(t, nil)
	wantUnused := func(name string) {
		t.Helper()
		if x := r.next(); x.Kind != KindUnused || x.Host != routedHost || x.Port != 443 || x.Code != "" || x.Provider != "" {
			t.Errorf("%s: %+v", name, x)
		}
	}
	r.connect(routedHost + ":443").Close() // no TLS
	other := tls.Client(r.connect(routedHost+":443"), &tls.Config{RootCAs: pool(t, r.authority), ServerName: otherHost})
	if err := other.Handshake(); err == nil {
		t.Fatal("another server name is accepted")
	}
	other.Close()
	c := r.inside()
	exchange(t, c, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\nConnection: close\r\n\r\n")
	io.Copy(io.Discard, c)
	if x := r.next(); x.Kind != KindRequest {
		t.Errorf("the request: %+v", x)
	}
	distrusts := tls.Client(r.connect(routedHost+":443"), &tls.Config{RootCAs: x509.NewCertPool(), ServerName: routedHost})
	if err := distrusts.Handshake(); err == nil {
		t.Fatal("the certificate is trusted")
	}
	distrusts.Close()
	wantUnused("a client that ends the handshake")
	r.inside().Close()
	wantUnused("a client that ends the connection")
}
