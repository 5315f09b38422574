package intercept

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

func TestRouteIsIntercepted(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			r := newRig(t, nil)
			c := r.client()
			if proto == "HTTP/1.1" {
				c = r.http1()
			}
			response, body := get(t, c, "https://"+routedHost+"/v1/x?q=1", "Authorization", "Bearer "+providers.PlaceholderMark)
			if response.Proto != proto {
				t.Errorf("spoke %s, want %s", response.Proto, proto)
			}
			if got := response.TLS.PeerCertificates[0].Issuer.CommonName; got != "proxy test authority" {
				t.Errorf("client was shown a certificate by %q", got)
			}
			if want := "GET /v1/x?q=1 host=" + routedHost + " auth=Bearer " + realKey; body != want {
				t.Errorf("upstream saw %q, want %q", body, want)
			}
			if x := r.next(); !x.Injected || x.Status != 200 || x.Path != "/v1/x" || x.Reason != routing.Matched || x.Received != int64(len(body)) {
				t.Errorf("recorded %+v", x)
			}
		})
	}
}

// Every spelling of a host in CONNECT leads to the same canonical name.
func TestConnectSpellings(t *testing.T) {
	r := newRig(t, nil)
	for _, target := range []string{routedHost, "API.Example.COM", routedHost + ".", "aPi.example.com."} {
		c := tls.Client(r.connect(target+":443"), &tls.Config{RootCAs: pool(t, r.authority), ServerName: routedHost})
		_, body := exchange(t, c, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n")
		if want := "host=" + routedHost + " auth=Bearer " + realKey; !strings.Contains(body, want) {
			t.Errorf("CONNECT %s: upstream saw %q", target, body)
		}
	}
}

func TestConnectRefused(t *testing.T) {
	r := newRig(t, nil)
	own := r.addr
	tests := []struct {
		name, request string
		status        int
		code          Code
	}{
		{"content", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET ", 400, CodeBadRequest},
		{"chunked content", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, CodeBadRequest},
		{"no port", "CONNECT " + routedHost + " HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"leading zero", "CONNECT " + routedHost + ":0443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"port too large", "CONNECT " + routedHost + ":65979 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"user name", "CONNECT user:pw@" + routedHost + ":443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"authority as user name", "CONNECT evil.test:443@" + routedHost + ":443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"scheme", "CONNECT http://" + routedHost + ":443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"path", "CONNECT " + routedHost + ":443/x HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"number as address", "CONNECT 2130706433:443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"hexadecimal address", "CONNECT 0x7f.1:443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"zone", "CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"no host", "CONNECT :443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"origin form", "CONNECT / HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"bare line feed", "CONNECT " + routedHost + ":443 HTTP/1.1\nHost: x\r\n\r\n", 400, CodeBadRequest},
		{"folded line", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400, CodeBadRequest},
		{"NUL", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nHost: \x00\r\n\r\n", 400, CodeBadRequest},
		{"head too large", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nA: " + strings.Repeat("a", maxHeadBytes) + "\r\n\r\n", 431, CodeBadRequest},
		{"cloud metadata", "CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n", 403, CodePrivateTarget},
		{"Azure metadata", "CONNECT 168.63.129.16:80 HTTP/1.1\r\n\r\n", 403, CodePrivateTarget},
		{"the proxy itself", "CONNECT " + own + " HTTP/1.1\r\n\r\n", 403, CodePrivateTarget},
		{"closed port", "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", 502, CodeUpstreamUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := exchange(t, r.raw(), tt.request)
			if response.StatusCode != tt.status || response.Header.Get(errorHeader) != string(tt.code) {
				t.Errorf("got %d %s %q, want %d %s", response.StatusCode, response.Header.Get(errorHeader), body, tt.status, tt.code)
			}
			if want := fmt.Sprintf("%d %s (authsome)", tt.status, tt.code); response.Status != want {
				t.Errorf("the status line has %q, want %q", response.Status, want)
			}
			if !response.Close {
				t.Error("the connection stays open")
			}
		})
	}
	if seen := r.requests(); len(seen) > 0 {
		t.Errorf("the upstream saw %d requests", len(seen))
	}
}

// Go's client shows only the reason phrase of a refused CONNECT. A code that is not one
// word would not be a valid phrase.
func TestClientsShowTheCodeOfARefusedConnect(t *testing.T) {
	for _, code := range Codes() {
		if strings.Trim(string(code), "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("the code %q", code)
		}
	}
	r := newRig(t, nil)
	_, err := r.client().Get("https://169.254.169.254/")
	if err == nil || !strings.HasSuffix(err.Error(), ": private_target (authsome)") {
		t.Errorf("the client says: %v", err)
	}
}

// Upgrade in a CONNECT would lead gomitmproxy to a path that ignores the answers of
// every hook, so it must not reach gomitmproxy.
func TestConnectWithUpgrade(t *testing.T) {
	r := newRig(t, nil)
	c := r.raw()
	io.WriteString(c, "CONNECT "+routedHost+":443 HTTP/1.1\r\nHost: "+routedHost+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("answer: %q", head)
	}
	inner := tls.Client(c, &tls.Config{RootCAs: pool(t, r.authority), ServerName: routedHost})
	if _, body := exchange(t, inner, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
}

// onePacket sends the CONNECT head and the first bytes after it in one write.
type onePacket struct {
	net.Conn
	head string
}

func (c *onePacket) Write(b []byte) (int, error) {
	if c.head != "" {
		_, err := c.Conn.Write(append([]byte(c.head), b...))
		c.head = ""
		return len(b), err
	}
	return c.Conn.Write(b)
}

// skipHead skips the head of the CONNECT's response.
type skipHead struct {
	*onePacket
	t    *testing.T
	once sync.Once
}

func (c *skipHead) Read(b []byte) (int, error) {
	c.once.Do(func() { readRawHead(c.t, c.Conn) })
	return c.Conn.Read(b)
}

func TestConnectAndClientHelloInOnePacket(t *testing.T) {
	for _, host := range []string{routedHost, otherHost} {
		r := newRig(t, nil)
		roots := pool(t, r.authority)
		roots.AppendCertsFromPEM(r.certs.CertificatePEM())
		conn := &skipHead{onePacket: &onePacket{Conn: r.raw(), head: "CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + "\r\n\r\n"}, t: t}
		c := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host})
		if response, body := exchange(t, c, "GET /one HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); response.StatusCode != 200 || !strings.Contains(body, "GET /one host="+host) {
			t.Errorf("%s: %d %q", host, response.StatusCode, body)
		}
	}
}

// After a refused CONNECT nothing else on that connection is served: gomitmproxy
// would send a GET with its own transport and bypass every rule.
func TestRequestAfterRefusedConnect(t *testing.T) {
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request bypassed the rules") }))
	defer victim.Close()
	r := newRig(t, func(r *rig) { r.Token, r.RequireToken = secret.New("the token"), true })
	c := r.raw()
	response, _ := exchange(t, c, "CONNECT "+routedHost+":443 HTTP/1.1\r\n\r\n")
	if response.StatusCode != http.StatusProxyAuthRequired || response.Close {
		t.Fatalf("answer %d, close %v", response.StatusCode, response.Close)
	}
	fmt.Fprintf(c, "GET %s/ HTTP/1.1\r\nHost: x\r\n\r\n", victim.URL)
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("the proxy answered %d bytes", n)
	}
}

// A client that sends no token at first is asked for it, and may try again on the
// same connection.
func TestTokenOnSecondTry(t *testing.T) {
	r := newRig(t, func(r *rig) { r.Token, r.RequireToken = secret.New("the token"), true })
	c := r.raw()
	for _, wrong := range []string{"", "Proxy-Authorization: Basic eDp3cm9uZw==\r\n", "Proxy-Authorization: Basic !!!\r\n"} {
		response, body := exchange(t, c, "CONNECT "+routedHost+":443 HTTP/1.1\r\n"+wrong+"\r\n")
		if response.StatusCode != 407 || response.Header.Get("Proxy-Authenticate") == "" || response.ContentLength != int64(len(body)) {
			t.Fatalf("%q: answer %d %v", wrong, response.StatusCode, response.Header)
		}
	}
	io.WriteString(c, "CONNECT "+routedHost+":443 HTTP/1.1\r\nProxy-Authorization: Basic eDp0aGUgdG9rZW4=\r\n\r\n")
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") || strings.Contains(head, "Connection: close") {
		t.Errorf("answer to the right token: %q", head)
	}
}

func TestOneDecisionPerConnect(t *testing.T) {
	r := newRig(t, nil)
	before := r.decided.Load()
	for range 5 {
		c := r.http1()
		for range 3 {
			get(t, c, "https://"+routedHost+"/")
		}
	}
	get(t, r.client(), "https://"+otherHost+"/")
	if got := r.decided.Load() - before; got != 6 {
		t.Errorf("OnRequest ran %d times for 6 CONNECTs", got)
	}
}

// A client may send a request, a CONNECT and data for the tunnel at once.
func TestConnectRightAfterARequest(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer plain.Close()
	r := newRig(t, func(r *rig) {
		r.ConnectTo = []ConnectTo{{From: Target{otherHost, 443}, To: Target{"127.0.0.1", echo.Addr().(*net.TCPAddr).Port}}}
	})
	c := r.raw()
	early := strings.Repeat("for the tunnel. ", 600)
	fmt.Fprintf(c, "GET %s/ HTTP/1.1\r\nHost: x\r\n\r\nCONNECT %s:443 HTTP/1.1\r\n\r\n%s", plain.URL, otherHost, early)
	answers := bufio.NewReader(c)
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); string(body) != "plain" || err != nil {
		t.Fatalf("the request got %q, %v", body, err)
	}
	if head := readRawHead(t, answers); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("the CONNECT got %q", head)
	}
	back := make([]byte, len(early))
	if n, err := io.ReadFull(answers, back); string(back) != early {
		t.Errorf("%d of %d bytes came back, %v", n, len(early), err)
	}
}
