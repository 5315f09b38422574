package intercept

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/authsome/authsome/routing"
)

func TestPlainHTTP(t *testing.T) {
	r := newRig(t, nil)
	origin := &http.Server{Handler: http.HandlerFunc(r.serveUpstream)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go origin.Serve(l)
	defer origin.Close()
	if response, body := get(t, r.client(), "http://"+l.Addr().String()+"/plain", "Authorization", "Bearer mine"); response.StatusCode != 200 || !strings.HasSuffix(body, "auth=Bearer mine") {
		t.Errorf("forwarded: %d %q", response.StatusCode, body)
	}
	if response, body := get(t, r.client(), "http://"+routedHost+"/"); response.StatusCode != 403 || response.Header.Get(errorHeader) != string(CodeHTTPSRequired) {
		t.Errorf("routed host: %d %q", response.StatusCode, body)
	}
	for name, request := range map[string]string{
		"origin form": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"user name":   "GET http://u:p@" + l.Addr().String() + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"TRACE":       "TRACE http://" + l.Addr().String() + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if response, body := exchange(t, r.raw(), request); response.StatusCode != 400 {
			t.Errorf("%s: %d %q", name, response.StatusCode, body)
		}
	}
	// A CONNECT on the same connection, as clients with a connection pool send it.
	c := r.raw()
	exchange(t, c, "GET http://"+l.Addr().String()+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
	fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s\r\n\r\n", routedHost, routedHost)
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("CONNECT after GET: %q", head)
	}
	inner := tls.Client(c, &tls.Config{RootCAs: pool(t, r.authority), ServerName: routedHost})
	if _, body := exchange(t, inner, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
}

func TestDenyUnmatched(t *testing.T) {
	routes := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: true})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	response, body := exchange(t, r.raw(), "CONNECT "+otherHost+":443 HTTP/1.1\r\n\r\n")
	if response.StatusCode != 403 || response.Header.Get(errorHeader) != string(CodeHostDenied) {
		t.Errorf("CONNECT: %d %q", response.StatusCode, body)
	}
	if response, _ := get(t, r.client(), "http://"+otherHost+"/"); response.StatusCode != 403 {
		t.Errorf("plain: %d", response.StatusCode)
	}
	if _, body := get(t, r.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("the route: %q", body)
	}
}
