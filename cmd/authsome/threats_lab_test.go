package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/ca"
)

const (
	threatKey   = "re_canary-3c0ffee5a7"
	threatToken = "the-proxy-token-0123456789"
)

// arrival is a request as the service received it.
type arrival struct {
	*http.Request
	body string
	peer string // the other end of its connection
}

// recorder is a service that keeps the requests that it received, and the bytes.
type recorder struct {
	addr string

	mu        sync.Mutex // guards the fields below
	authority *ca.Authority
	arrivals  []arrival
	raw       bytes.Buffer // of all connections
}

func startRecorder(t *testing.T) *recorder {
	t.Helper()
	authority, err := ca.New(ca.Options{CommonName: "service authority"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{addr: l.Addr().String(), authority: authority}
	config := &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.authority.Leaf(h.ServerName)
	}}
	server := &http.Server{Handler: r, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(&recordingListener{tls.NewListener(l, config), r})
	t.Cleanup(func() { server.Close() })
	return r
}

// recordingListener copies what its connections read into the recorder.
type recordingListener struct {
	net.Listener
	to *recorder
}

func (l *recordingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordingConn{c, l.to}, nil
}

type recordingConn struct {
	net.Conn
	to *recorder
}

func (c *recordingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	c.to.raw.Write(b[:n])
	return n, err
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	r.arrivals = append(r.arrivals, arrival{request, string(body), request.RemoteAddr})
	r.mu.Unlock()
	switch request.URL.Path {
	case "/redirect":
		http.Redirect(w, request, "https://elsewhere.example.com/", http.StatusFound)
	case "/echo":
		w.Header().Set("Content-Type", "text/plain")
		request.Header.Write(w)
	case "/refuse":
		w.WriteHeader(http.StatusUnauthorized)
	case "/switch":
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		buffered.Flush()
		io.Copy(c, buffered)
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(w, "fine")
	}
}

// since returns the requests that arrived after the first n.
func (r *recorder) since(n int) []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrivals[n:])
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.arrivals)
}

// heads returns the request heads that were sent to the service, byte for byte.
func (r *recorder) heads() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var heads []string
	for text := range strings.SplitSeq(r.raw.String(), "\r\n\r\n") {
		if strings.Contains(text, " HTTP/1.1\r\n") {
			heads = append(heads, text)
		}
	}
	return heads
}

// lab is a proxy with connections, and the service behind all of their hosts.
type lab struct {
	t       *testing.T
	b       *bench
	service *recorder
	proxy   string
	admin   string
	roots   *x509.CertPool // the proxy's authority
	before  int            // requests that arrived before the attack
}

// threatDefinitions are the providers of the lab, in addition to resend.
var threatDefinitions = map[string]string{
	"query": `"hosts":["query.example.com"],"inject":[{"in":"query","name":"key","value":"{api_key}"}]`,
	"wild":  `"hosts":["*.wild.example.com"],"remove":["header:X-Api-Key"]`,
	"part":  `"hosts":["part.example.com"],"paths":["/v1"]`,
	"other": `"hosts":["part.example.com"],"paths":["/v2"]`,
	"oauth": `"hosts":["oauth.example.com","sibling.example.com"],"oauth":{"authorization_url":"https://oauth.example.com/authorize","token_url":"https://oauth.example.com/oauth/token"}`,
}

// threatHosts are all hosts that the proxy connects to the service for.
var threatHosts = []string{
	"api.resend.com:443", "api.resend.com:8443", "query.example.com:443", "a.wild.example.com:443", "b.wild.example.com:443", "c.wild.example.com:443", "evilwild.example.com:443", "part.example.com:443",
	"oauth.example.com:443", "sibling.example.com:443", "elsewhere.example.com:443", "evil.example.com:443",
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, b: newBench(t), service: startRecorder(t)}
	dir := t.TempDir()
	for name, members := range threatDefinitions {
		file := filepath.Join(dir, name+".json")
		writeText(t, file, fmt.Sprintf(`{"schema_version":2,"name":%q,"flows":["api_key"],%s}`, name, members))
		l.b.run("", "register", file, "--yes")
		l.b.run(threatKey, "login", name, "--key-stdin", "--no-verify")
	}
	l.b.run(threatKey, "login", "resend", "--key-stdin", "--no-verify")
	roots := filepath.Join(dir, "service.pem")
	writeText(t, roots, string(l.service.authority.CertificatePEM()))
	_, port, _ := net.SplitHostPort(l.service.addr)
	args := []string{"--upstream-ca", roots}
	for _, host := range threatHosts {
		args = append(args, "--connect-to", host+":127.0.0.1:"+port)
	}
	l.b.more = []string{"AUTHSOME_PROXY_TOKEN=" + threatToken}
	_, l.proxy, l.admin = l.b.proxy(args...)
	l.b.more = nil
	_, pem := fetch(t, http.DefaultClient, "http://"+l.admin+"/ca.pem")
	l.roots = x509.NewCertPool()
	if !l.roots.AppendCertsFromPEM([]byte(pem)) {
		t.Fatal("the proxy has no certificate")
	}
	return l
}

// attack is the lab for one row of the table.
func (l *lab) attack(t *testing.T) *lab {
	copied := *l
	copied.t, copied.before = t, l.service.count()
	l.b.t, l.b.more = t, nil
	return &copied
}

// dial opens a connection to the proxy.
func (l *lab) dial() net.Conn {
	l.t.Helper()
	c, err := net.Dial("tcp", l.proxy)
	if err != nil {
		l.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(limit))
	l.t.Cleanup(func() { c.Close() })
	return c
}

// status sends text on a connection and returns the status of the answer and its
// X-Authsome-Error.
func (l *lab) status(c net.Conn, text string) string {
	l.t.Helper()
	status, _, _ := l.exchange(c, text)
	return status
}

// exchange is status, and also returns the answer's header and body.
func (l *lab) exchange(c net.Conn, text string) (status string, header http.Header, body string) {
	l.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		return "closed", nil, ""
	}
	var method *http.Request // the answer to CONNECT has no body
	if strings.HasPrefix(text, "CONNECT ") {
		method = &http.Request{Method: http.MethodConnect}
	}
	response, err := http.ReadResponse(bufio.NewReader(c), method)
	if err != nil {
		return "closed", nil, ""
	}
	if response.StatusCode != http.StatusSwitchingProtocols && (method == nil || response.StatusCode != http.StatusOK) {
		b, _ := io.ReadAll(response.Body)
		body = string(b)
	}
	return strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Authsome-Error"))), response.Header, body
}

// tunnel opens a tunnel to target, which must be accepted.
func (l *lab) tunnel(target string) net.Conn {
	l.t.Helper()
	c := l.dial()
	if got := l.status(c, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); got != "200" {
		l.t.Fatalf("CONNECT %s: %s", target, got)
	}
	return c
}

// secure opens an intercepted connection to a host.
func (l *lab) secure(host string, protocols ...string) *tls.Conn {
	l.t.Helper()
	c := tls.Client(l.tunnel(host+":443"), &tls.Config{ServerName: host, RootCAs: l.roots, NextProtos: protocols})
	if err := c.Handshake(); err != nil {
		l.t.Fatalf("%s is not intercepted: %v", host, err)
	}
	return c
}

// send sends a request head, and perhaps a body, to a host and returns the status.
func (l *lab) send(host, head string) string {
	l.t.Helper()
	return l.status(l.secure(host), head)
}

// arrived returns the requests that the attack caused.
func (l *lab) arrived() []arrival { return l.service.since(l.before) }

// want checks the answer to the client, and the credentials of the requests that arrived.
func (l *lab) want(got, status string, authorizations ...string) {
	l.t.Helper()
	if got != status {
		l.t.Errorf("the client was told %q, want %q", got, status)
	}
	var arrived []string
	for _, a := range l.arrived() {
		arrived = append(arrived, strings.Join(a.Header.Values("Authorization"), " and "))
	}
	if !slices.Equal(arrived, authorizations) {
		l.t.Errorf("the service received requests with %q, want %q", arrived, authorizations)
	}
}

// requestFor is a minimal request.
func requestFor(path, host string, more ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(more, "\r\n"), "\r\n")
}

// repository returns the root of the checkout.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(dir))
}
